//! Filings in any number, for load tests and for tests of the indexes: applicants with a filed website each, their earlier
//! filings, and for most of them a live one. Made inside the database by `volume.sql`; what is sealed is sealed here and travels
//! by COPY.
//!
//! Ids are `0193b000-0000-7000-80TT-NNNNNNNNNNNN`: TT the [`Kind`], N the number in hexadecimal, so that a load tool can
//! name any row without asking.

use chrono::{DateTime, Utc};
use diesel::ExecuteCopyFromDsl;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text, Timestamptz, Uuid as UuidType};
use uuid::Uuid;

use super::ids;
use crate::kernel::pii::{self, Address, Email, PersonName, Phone};
use crate::schema::users;

/// Filings of an applicant: two ended ones, and the newest, which may be live.
pub const FILINGS_EACH: i64 = 3;
/// Ended filings that a regular customer has beside these: twenty, a page, in all.
pub const FILINGS_MORE: i64 = 17;
/// Most regular customers.
const MAX_REGULARS: i64 = 60;

/// What an id names.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// An applicant's account.
    Account = 1,
    /// Its user; the login is `load-N`, the password that of all demo users.
    User = 2,
    /// The user's session.
    Session = 3,
    /// The account's subject.
    Subject = 4,
    /// The subject's website.
    Website = 5,
    /// The website's filed content.
    Filed = 6,
    /// A filing: numbers 3n − 2 to 3n belong to account n, the last of them is the newest. The numbers after those of the last
    /// account are the further ones of the regular customers, seventeen for each.
    Filing = 7,
    /// The content of a live filing, with the number of its account.
    Content = 8,
    /// The revision of a submitted filing.
    Revision = 9,
    /// The task of its initial review.
    Review = 10,
    /// Its events: numbers 4f − 3 to 4f.
    Event = 11,
    /// The backdrop shipment of an approved filing, or of one that waits for its photo.
    Shipment = 12,
    /// The hand-over of an approved filing.
    Submission = 13,
    /// The messages about the first event of a filing: 2f in the inbox, 2f + 1 by e-mail.
    Notification = 14,
    /// Rows of the audit trail: 4f − 3 and 4f − 2.
    Audit = 15,
}

/// The id with a number.
pub fn id(kind: Kind, number: u32) -> Uuid {
    Uuid::from_u128(0x0193_b000_0000_7000_8000_0000_0000_0000 | ((kind as u128) << 48) | u128::from(number))
}

diesel::table! {
    /// Sealed values on their way into the database; the table lives as long as the transaction.
    volume_people (n) {
        /// Number of the applicant.
        n -> BigInt,
        /// Sealed.
        mobile -> Bytea,
        /// Sealed.
        email -> Bytea,
    }
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Applicants with filings, numbered from 1.
    pub applicants: i64,
    /// How many of them, the first ones, are regular customers with twenty filings.
    pub regulars: i64,
    /// Applicants without any filing, numbered after them.
    pub spare: i64,
    /// Filings.
    pub filings: i64,
}

/// Adds applicants until there are `filings` filings (or one or two fewer), and `spare` applicants without one. Of twenty
/// applicants fourteen have a filing in initial review, two a draft, one waits for its photo, three have none that is live. One
/// of a hundred filings, at most 60, makes a regular customer. Stands on the demo's people.
///
/// Indexes are left out while the rows are made, and built afterwards: until the end nobody else can use these tables.
///
/// # Errors
/// When the demo's people are missing, when it ran before, or when the database fails.
pub fn fill(conn: &mut PgConnection, now: DateTime<Utc>, filings: i64, spare: i64) -> anyhow::Result<Volume> {
    let regulars = (filings / 100).min(MAX_REGULARS);
    let applicants = (filings - regulars * FILINGS_MORE) / FILINGS_EACH;
    conn.transaction(|conn| {
        let hash: String = users::table.find(ids::user(1)).select(users::password_hash).first(conn)?;
        let ring = pii::keyring()?;
        diesel::sql_query(
            "CREATE TEMPORARY TABLE volume_size ON COMMIT DROP AS \
             SELECT $1 AS now, $2 AS applicants, $3 AS regulars, $4 AS subject, $5 AS content, $6 AS hash, \
             $7 AS recipient, $8 AS street",
        )
        .bind::<Timestamptz, _>(now)
        .bind::<BigInt, _>(applicants)
        .bind::<BigInt, _>(regulars)
        .bind::<UuidType, _>(ids::subject(1))
        .bind::<UuidType, _>(ids::content(1))
        .bind::<Text, _>(hash)
        .bind::<Binary, _>(ring.seal::<PersonName>("张伟")?)
        .bind::<Binary, _>(ring.seal::<Address>("示例大街1号")?)
        .execute(conn)?;
        send_sealed(conn, applicants + spare)?;
        conn.batch_execute(include_str!("volume.sql"))?;
        anyhow::Ok(())
    })?;
    // Without it the planner knows nothing of the new rows until autovacuum comes round.
    conn.batch_execute("ANALYZE")?;
    Ok(Volume { applicants, regulars, spare, filings: applicants * FILINGS_EACH + regulars * FILINGS_MORE })
}

fn send_sealed(conn: &mut PgConnection, people: i64) -> anyhow::Result<()> {
    conn.batch_execute(
        "CREATE TEMPORARY TABLE volume_people (n bigint PRIMARY KEY, mobile bytea NOT NULL, email bytea NOT NULL) \
         ON COMMIT DROP",
    )?;
    let ring = pii::keyring()?;
    let failed =
        |fault: Box<dyn std::error::Error + Send + Sync>| diesel::result::Error::SerializationError(fault);
    diesel::copy_from(volume_people::table)
        .from_raw_data(volume_people::table, |out| -> QueryResult<()> {
            for n in 1..=people {
                let mobile =
                    ring.seal::<Phone>(&format!("19{n:09}")).map_err(|fault| failed(fault.into()))?;
                let email = ring
                    .seal::<Email>(&format!("load-{n}@example.com"))
                    .map_err(|fault| failed(fault.into()))?;
                writeln!(out, "{n}\t\\\\x{}\t\\\\x{}", hex::encode(mobile), hex::encode(email))
                    .map_err(|fault| failed(fault.into()))?;
            }
            Ok(())
        })
        .execute(conn)?;
    Ok(())
}
