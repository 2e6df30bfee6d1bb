//! Rows and queries of users.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, PgArrayExpressionMethods, PgConnection,
    QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper, sql_types::Text,
};

use super::contacts::ContactChannel;
use super::undeliverable::{self, ClearedBecause};
use crate::audit::{self, Actor, Deed};
use crate::auth::Role;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{AccountId, ApiClientId, UserId};
use crate::kernel::page::{Limit, Position};
use crate::kernel::pii::{Email, Phone, Sensitive};
use crate::schema::users;

crate::text_enum! {
    /// A role that the admin gives to a member of staff.
    pub enum StaffRole {
        /// Reviews filings and photos.
        Reviewer = "reviewer",
        /// A reviewer who also assigns, releases others' claims and takes escalations.
        SeniorReviewer = "senior_reviewer",
        /// Sends backdrops.
        Logistics = "logistics",
        /// Hands filings over to the bureau.
        BureauOperator = "bureau_operator",
        /// Reads, masked.
        Support = "support",
        /// Reads the audit trail only.
        Auditor = "auditor",
        /// Users, rules, calendar, terms, jobs; no personal data.
        Admin = "admin",
    }
}

/// A user, without the password.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct UserRow {
    pub id: UserId,
    pub login: String,
    pub display_name: String,
    pub account_id: Option<AccountId>,
    api_client_id: Option<ApiClientId>,
    roles: Vec<Option<String>>,
    pub email: Option<Sensitive<Email>>,
    pub email_verified_at: Option<DateTime<Utc>>,
    pub mobile: Option<Sensitive<Phone>>,
    pub mobile_verified_at: Option<DateTime<Utc>>,
    pub locale: Locale,
    pub disabled_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl UserRow {
    /// False for the service user of a partner's program.
    pub fn is_person(&self) -> bool {
        self.api_client_id.is_none()
    }

    /// The roles as callers have them: `applicant` for users of an account, `partner` for a partner's program.
    pub fn roles(&self) -> Vec<Role> {
        match (self.account_id, self.api_client_id) {
            (Some(_), _) => vec![Role::Applicant],
            (None, Some(_)) => vec![Role::Partner],
            (None, None) => self.roles.iter().flatten().filter_map(|name| name.parse().ok()).collect(),
        }
    }
}

/// A user to be created.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub login: String,
    pub display_name: String,
    pub password_hash: String,
    pub account_id: Option<AccountId>,
    pub roles: Vec<StaffRole>,
    pub email: Option<Sensitive<Email>>,
    pub mobile: Option<Sensitive<Phone>>,
    pub locale: Locale,
}

fn names(roles: &[StaffRole]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for role in roles {
        if !names.iter().any(|name| name == role.as_str()) {
            names.push(role.as_str().to_owned());
        }
    }
    names
}

/// Creates a user. Contacts that somebody else typed are not verified.
pub fn insert(conn: &mut PgConnection, now: DateTime<Utc>, user: NewUser) -> QueryResult<UserRow> {
    diesel::insert_into(users::table)
        .values((
            users::id.eq(UserId::new()),
            users::login.eq(user.login),
            users::display_name.eq(user.display_name),
            users::password_hash.eq(user.password_hash),
            users::account_id.eq(user.account_id),
            users::roles.eq(names(&user.roles)),
            users::email.eq(user.email),
            users::mobile.eq(user.mobile),
            users::locale.eq(user.locale),
            users::created_at.eq(now),
            users::updated_at.eq(now),
        ))
        .returning(UserRow::as_returning())
        .get_result(conn)
}

/// Creates a member of staff from the command line, with an audit row of the system. `login` is taken in lower case;
/// `password_hash` comes from `auth::hash_blocking`.
///
/// # Errors
/// When the database fails; a taken login is a violation of `users_login_key`.
pub fn create_staff(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    login: &str,
    display_name: &str,
    roles: &[StaffRole],
    password_hash: String,
    email: Option<Sensitive<Email>>,
) -> QueryResult<UserId> {
    let user = NewUser {
        login: login.trim().to_lowercase(),
        display_name: display_name.to_owned(),
        password_hash,
        account_id: None,
        roles: roles.to_vec(),
        email,
        mobile: None,
        locale: Locale::ZhCn,
    };
    let id = insert(conn, now, user)?.id;
    let deed = Deed::new("user.created", "user", id.0)
        .details(serde_json::json!({ "roles": names(roles), "by": "command_line" }));
    audit::record(conn, now, &Actor::system(), deed)?;
    Ok(id)
}

/// A user.
pub fn find(conn: &mut PgConnection, id: UserId) -> QueryResult<Option<UserRow>> {
    users::table.find(id).select(UserRow::as_select()).first(conn).optional()
}

/// A user, locked until the transaction ends.
pub fn lock(conn: &mut PgConnection, id: UserId) -> QueryResult<Option<UserRow>> {
    users::table.find(id).select(UserRow::as_select()).for_update().first(conn).optional()
}

/// What an update changes; `None` leaves a column alone. A contact set here is not verified.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub display_name: Option<String>,
    pub locale: Option<Locale>,
    pub roles: Option<Vec<StaffRole>>,
    pub email: Option<Sensitive<Email>>,
    pub mobile: Option<Sensitive<Phone>>,
}

/// Applies changes and raises the version. A contact that is replaced no longer counts as undeliverable.
pub fn update(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: UserId,
    changes: Changes,
) -> QueryResult<UserRow> {
    for (is_new, channel) in
        [(changes.email.is_some(), ContactChannel::Email), (changes.mobile.is_some(), ContactChannel::Mobile)]
    {
        if is_new {
            undeliverable::clear(conn, now, id, channel, ClearedBecause::Replaced)?;
        }
    }
    let unverified = |is_new: bool| is_new.then_some(None::<DateTime<Utc>>);
    diesel::update(users::table.find(id))
        .set((
            changes.display_name.map(|name| users::display_name.eq(name)),
            changes.locale.map(|locale| users::locale.eq(locale)),
            changes.roles.map(|roles| users::roles.eq(names(&roles))),
            unverified(changes.email.is_some()).map(|at| users::email_verified_at.eq(at)),
            unverified(changes.mobile.is_some()).map(|at| users::mobile_verified_at.eq(at)),
            changes.email.map(|email| users::email.eq(email)),
            changes.mobile.map(|mobile| users::mobile.eq(mobile)),
            users::version.eq(users::version + 1),
            users::updated_at.eq(now),
        ))
        .returning(UserRow::as_returning())
        .get_result(conn)
}

/// Disables or enables a user and raises the version.
pub fn set_disabled(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: UserId,
    disabled_at: Option<DateTime<Utc>>,
) -> QueryResult<UserRow> {
    diesel::update(users::table.find(id))
        .set((
            users::disabled_at.eq(disabled_at),
            users::version.eq(users::version + 1),
            users::updated_at.eq(now),
        ))
        .returning(UserRow::as_returning())
        .get_result(conn)
}

/// Stores an address that the user has proved to read.
pub fn set_verified_email(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: UserId,
    email: Sensitive<Email>,
) -> QueryResult<()> {
    diesel::update(users::table.find(id))
        .set((users::email.eq(email), users::email_verified_at.eq(now)))
        .execute(conn)?;
    undeliverable::clear(conn, now, id, ContactChannel::Email, ClearedBecause::Verified).map(drop)
}

/// Stores a mobile that the user has proved to hold.
pub fn set_verified_mobile(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: UserId,
    mobile: Sensitive<Phone>,
) -> QueryResult<()> {
    diesel::update(users::table.find(id))
        .set((users::mobile.eq(mobile), users::mobile_verified_at.eq(now)))
        .execute(conn)?;
    undeliverable::clear(conn, now, id, ContactChannel::Mobile, ClearedBecause::Verified).map(drop)
}

diesel::define_sql_function! {
    /// Whether a text begins with another; unlike LIKE it knows no signs with a meaning.
    fn starts_with(text: Text, prefix: Text) -> diesel::sql_types::Bool;
}

/// Which users a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub role: Option<Role>,
    pub account_id: Option<AccountId>,
    pub is_disabled: Option<bool>,
    pub login_prefix: Option<String>,
}

/// A page of users, newest first.
pub fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<UserRow>> {
    let mut query =
        users::table.filter(users::api_client_id.is_null()).select(UserRow::as_select()).into_boxed();
    match filter.role {
        Some(Role::Applicant) => query = query.filter(users::account_id.is_not_null()),
        Some(role) => query = query.filter(users::roles.contains(vec![Some(role.as_str())])),
        None => {}
    }
    if let Some(account) = filter.account_id {
        query = query.filter(users::account_id.eq(account));
    }
    match filter.is_disabled {
        Some(true) => query = query.filter(users::disabled_at.is_not_null()),
        Some(false) => query = query.filter(users::disabled_at.is_null()),
        None => {}
    }
    if let Some(prefix) = &filter.login_prefix {
        query = query.filter(starts_with(users::login, prefix));
    }
    if let Some(Position { at, id }) = after {
        query =
            query.filter(users::created_at.le(at).and(users::created_at.lt(at).or(users::id.lt(UserId(id)))));
    }
    query.order((users::created_at.desc(), users::id.desc())).limit(limit.rows_to_read()).load(conn)
}
