//! Demo users and accounts, and a partner who acts for some of the accounts.

use argon2::{
    Argon2, PasswordHasher,
    password_hash::{SaltString, rand_core::OsRng},
};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::ids;
use crate::kernel::pii::{Email, Phone, Sensitive};
use crate::schema::{accounts, partners, users};

/// Staff: login, display name, role. Their ids begin at 3, after the two applicants that everybody knows.
const STAFF: [(&str, &str, &str); 9] = [
    ("demo-reviewer", "审核员一", "reviewer"),
    ("demo-reviewer-2", "审核员二", "reviewer"),
    ("demo-senior-reviewer", "高级审核员", "senior_reviewer"),
    ("demo-logistics", "物流专员", "logistics"),
    ("demo-bureau", "管局专员", "bureau_operator"),
    ("demo-support", "客服", "support"),
    ("demo-auditor", "审计员", "auditor"),
    ("demo-admin", "管理员", "admin"),
    // Nobody's work depends on them: the examples disable and enable a user.
    ("demo-leaver", "已离职客服", "support"),
];

/// Numbers of the accounts that belong to the demo partner, whose own keys for them are `SHOP-27` and so on.
const OF_PARTNER: [u128; 3] = [27, 28, 32];

/// Id of the user of the n-th account: 1 and 2 are well known, the others follow after the staff.
pub(super) fn applicant(account: u128) -> uuid::Uuid {
    if account <= 2 { ids::user(account) } else { ids::user(account + 100) }
}

/// Login of the user of the n-th account.
fn login(account: u128) -> String {
    if account == 1 { "demo-applicant".to_owned() } else { format!("demo-applicant-{account}") }
}

pub(super) fn load(conn: &mut PgConnection, now: DateTime<Utc>) -> anyhow::Result<()> {
    let hash = Argon2::default()
        .hash_password(super::PASSWORD.as_bytes(), &SaltString::generate(&mut OsRng))
        .map_err(|error| anyhow::anyhow!("cannot hash the demo password: {error}"))?
        .to_string();
    diesel::insert_into(partners::table)
        .values((
            partners::id.eq(ids::partner(1)),
            partners::name.eq("示例合作伙伴"),
            partners::created_at.eq(now),
        ))
        .execute(conn)?;
    for (number, site) in super::filed::SITES.iter().enumerate() {
        let number = number as u128 + 1;
        diesel::insert_into(accounts::table)
            .values((
                accounts::id.eq(ids::account(number)),
                accounts::name.eq(site.subject),
                accounts::partner_id.eq(OF_PARTNER.contains(&number).then(|| ids::partner(1))),
                accounts::external_reference
                    .eq(OF_PARTNER.contains(&number).then(|| format!("SHOP-{number}"))),
                accounts::created_at.eq(now),
                accounts::updated_at.eq(now),
            ))
            .execute(conn)?;
        let login = login(number);
        diesel::insert_into(users::table)
            .values((
                users::id.eq(applicant(number)),
                users::display_name.eq(site.person),
                users::password_hash.eq(&hash),
                users::account_id.eq(ids::account(number)),
                users::email.eq(Sensitive::<Email>::new(format!("{login}@example.com"))),
                users::email_verified_at.eq(now),
                users::mobile.eq(Sensitive::<Phone>::new(format!("1380013{:04}", 8000 + number))),
                users::mobile_verified_at.eq(now),
                users::login.eq(login),
                users::created_at.eq(now),
                users::updated_at.eq(now),
            ))
            .execute(conn)?;
    }
    for (number, (login, name, role)) in STAFF.iter().enumerate() {
        diesel::insert_into(users::table)
            .values((
                users::id.eq(ids::user(number as u128 + 3)),
                users::login.eq(*login),
                users::display_name.eq(*name),
                users::password_hash.eq(&hash),
                users::roles.eq(vec![Some(*role)]),
                users::email.eq(Sensitive::<Email>::new(format!("{login}@example.com"))),
                users::email_verified_at.eq(now),
                users::created_at.eq(now),
                users::updated_at.eq(now),
            ))
            .execute(conn)?;
    }
    Ok(())
}
