//! Rows and queries of accounts.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, PgConnection, QueryDsl, QueryResult,
    Queryable, RunQueryDsl, Selectable, SelectableHelper, sql_types::Text,
};

use crate::kernel::ids::{AccountId, PartnerId};
use crate::kernel::page::{Limit, Position};
use crate::schema::{accounts, partners};

/// An account.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = accounts)]
pub struct AccountRow {
    pub id: AccountId,
    pub name: String,
    pub partner_id: Option<PartnerId>,
    pub external_reference: Option<String>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Whether the account exists and is not disabled.
///
/// # Errors
/// When the database fails.
pub fn is_open(conn: &mut PgConnection, id: AccountId) -> QueryResult<bool> {
    let disabled_at = accounts::table.find(id).select(accounts::disabled_at).first(conn).optional()?;
    Ok(matches!(disabled_at, Some(None::<DateTime<Utc>>)))
}

/// Whether the partner exists.
///
/// # Errors
/// When the database fails.
pub fn partner_exists(conn: &mut PgConnection, id: PartnerId) -> QueryResult<bool> {
    Ok(partners::table.find(id).select(partners::id).first::<PartnerId>(conn).optional()?.is_some())
}

/// Creates an account.
pub fn insert(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    name: &str,
    partner: Option<PartnerId>,
    external_reference: Option<&str>,
) -> QueryResult<AccountRow> {
    diesel::insert_into(accounts::table)
        .values((
            accounts::id.eq(AccountId::new()),
            accounts::name.eq(name),
            accounts::partner_id.eq(partner),
            accounts::external_reference.eq(external_reference),
            accounts::created_at.eq(now),
            accounts::updated_at.eq(now),
        ))
        .returning(AccountRow::as_returning())
        .get_result(conn)
}

/// An account.
pub fn find(conn: &mut PgConnection, id: AccountId) -> QueryResult<Option<AccountRow>> {
    accounts::table.find(id).select(AccountRow::as_select()).first(conn).optional()
}

/// An account, locked until the transaction ends.
pub fn lock(conn: &mut PgConnection, id: AccountId) -> QueryResult<Option<AccountRow>> {
    accounts::table.find(id).select(AccountRow::as_select()).for_update().first(conn).optional()
}

/// What an update changes; `None` leaves a column alone.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub name: Option<String>,
    pub external_reference: Option<Option<String>>,
    pub disabled_at: Option<Option<DateTime<Utc>>>,
}

/// Applies changes and raises the version.
pub fn update(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: AccountId,
    changes: Changes,
) -> QueryResult<AccountRow> {
    diesel::update(accounts::table.find(id))
        .set((
            changes.name.map(|name| accounts::name.eq(name)),
            changes.external_reference.map(|reference| accounts::external_reference.eq(reference)),
            changes.disabled_at.map(|at| accounts::disabled_at.eq(at)),
            accounts::version.eq(accounts::version + 1),
            accounts::updated_at.eq(now),
        ))
        .returning(AccountRow::as_returning())
        .get_result(conn)
}

diesel::define_sql_function! {
    /// Whether a text begins with another; unlike LIKE it knows no signs with a meaning.
    fn starts_with(text: Text, prefix: Text) -> diesel::sql_types::Bool;
}

/// Which accounts a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub partner_id: Option<PartnerId>,
    pub external_reference: Option<String>,
    pub is_disabled: Option<bool>,
    pub name_prefix: Option<String>,
}

/// A page of accounts, newest first.
pub fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<AccountRow>> {
    let mut query = accounts::table.select(AccountRow::as_select()).into_boxed();
    if let Some(partner) = filter.partner_id {
        query = query.filter(accounts::partner_id.eq(partner));
    }
    if let Some(reference) = &filter.external_reference {
        query = query.filter(accounts::external_reference.eq(reference));
    }
    match filter.is_disabled {
        Some(true) => query = query.filter(accounts::disabled_at.is_not_null()),
        Some(false) => query = query.filter(accounts::disabled_at.is_null()),
        None => {}
    }
    if let Some(prefix) = &filter.name_prefix {
        query = query.filter(starts_with(accounts::name, prefix));
    }
    if let Some(Position { at, id }) = after {
        query = query.filter(
            accounts::created_at.le(at).and(accounts::created_at.lt(at).or(accounts::id.lt(AccountId(id)))),
        );
    }
    query.order((accounts::created_at.desc(), accounts::id.desc())).limit(limit.rows_to_read()).load(conn)
}
