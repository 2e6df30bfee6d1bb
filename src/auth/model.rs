//! What logging in reads about a user.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension,
    PgConnection, QueryDsl, QueryResult, RunQueryDsl,
};

use super::permissions::{OPERATIONS, Role};
use crate::kernel::ids::{AccountId, UserId};
use crate::kernel::pii::{Email, Sensitive};
use crate::schema::{accounts, users};

/// A user who wants to prove who they are.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user.
    pub user_id: UserId,
    /// What they type to log in.
    pub login: String,
    /// PHC string of the password.
    pub password_hash: String,
    /// The roles; `applicant` for users of an account.
    pub roles: Vec<Role>,
    /// Neither the user nor the account is disabled.
    pub is_enabled: bool,
}

impl Credentials {
    /// Role for the audit row.
    pub fn role(&self) -> &'static str {
        self.roles.first().map_or("none", |role| role.as_str())
    }

    /// Every scope that the roles open, in alphabetical order, separated by blanks.
    pub fn scopes(&self) -> String {
        let open = OPERATIONS.iter().filter(|operation| operation.is_open_to(&self.roles));
        let scopes: std::collections::BTreeSet<&str> = open.map(|operation| operation.scope).collect();
        scopes.into_iter().collect::<Vec<_>>().join(" ")
    }
}

type Time = Option<DateTime<Utc>>;
type Row = (UserId, String, String, Option<AccountId>, Vec<Option<String>>, Time, Time);

fn from_row(
    (user_id, login, password_hash, account_id, names, user_disabled, account_disabled): Row,
) -> Credentials {
    let roles = match account_id {
        Some(_) => vec![Role::Applicant],
        None => names.into_iter().flatten().filter_map(|name| name.parse().ok()).collect(),
    };
    let is_enabled = user_disabled.is_none() && account_disabled.is_none();
    Credentials { user_id, login, password_hash, roles, is_enabled }
}

macro_rules! select_credentials {
    ($filter:expr) => {
        users::table
            .left_join(accounts::table.on(users::account_id.eq(accounts::id.nullable())))
            .filter($filter)
            .select((
                users::id,
                users::login,
                users::password_hash,
                users::account_id,
                users::roles,
                users::disabled_at,
                accounts::disabled_at.nullable(),
            ))
    };
}

/// The user with this login, in lower case.
pub fn by_login(conn: &mut PgConnection, login: &str) -> QueryResult<Option<Credentials>> {
    // Service users of partners' programs have no password; they are not people who log in.
    let person = users::login.eq(login).and(users::api_client_id.is_null());
    Ok(select_credentials!(person).first::<Row>(conn).optional()?.map(from_row))
}

/// The user with this id.
pub fn by_id(conn: &mut PgConnection, id: UserId) -> QueryResult<Option<Credentials>> {
    Ok(select_credentials!(users::id.eq(id)).first::<Row>(conn).optional()?.map(from_row))
}

/// The users (five at most) who have proved that they read this address. Addresses are not unique: a company's users may
/// share one.
pub fn by_verified_email(conn: &mut PgConnection, email: &Sensitive<Email>) -> QueryResult<Vec<Credentials>> {
    let hash =
        email.lookup_hash().map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))?;
    let found = select_credentials!(users::email_hash.eq(hash).and(users::email_verified_at.is_not_null()))
        .order(users::id)
        .limit(5)
        .load::<Row>(conn)?;
    Ok(found.into_iter().map(from_row).collect())
}

/// Whether the user has an address that a mail could go to.
pub fn has_email(conn: &mut PgConnection, id: UserId) -> QueryResult<bool> {
    users::table.find(id).select(users::email.is_not_null()).first(conn)
}
