//! Rows and queries of clients and their secrets.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, PgConnection,
    QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper,
};
use sha2::{Digest, Sha256};

use crate::auth;
use crate::config::IpRange;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{ApiClientId, ApiClientSecretId, PartnerId, UserId};
use crate::kernel::page::{Limit, Position};
use crate::schema::{api_client_secrets, api_clients, partners, users};

/// Not revoked and not expired. A macro, since the type of the expression is long.
macro_rules! is_live {
    ($now:expr) => {
        api_client_secrets::revoked_at.is_null().and(
            api_client_secrets::expires_at
                .is_null()
                .or(api_client_secrets::expires_at.assume_not_null().gt($now)),
        )
    };
}

/// A client.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = api_clients)]
pub struct ClientRow {
    pub id: ApiClientId,
    pub partner_id: PartnerId,
    pub client_id: String,
    pub name: String,
    scopes: Vec<Option<String>>,
    allowed_addresses: Vec<Option<String>>,
    pub paused_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl ClientRow {
    /// The granted scopes.
    pub fn scopes(&self) -> Vec<String> {
        self.scopes.iter().flatten().cloned().collect()
    }

    /// Addresses and blocks that it may call from; empty means any.
    pub fn allowed_addresses(&self) -> Vec<String> {
        self.allowed_addresses.iter().flatten().cloned().collect()
    }

    fn grant(&self) -> Grant {
        Grant {
            partner_id: self.partner_id,
            scopes: self.scopes(),
            // What cannot be read would be a fault of ours; it must not open the list.
            allowed: self.allowed_addresses.iter().flatten().map(|text| text.parse().ok()).collect(),
        }
    }
}

/// A secret, without the secret.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = api_client_secrets)]
pub struct SecretRow {
    pub id: ApiClientSecretId,
    pub hint: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What a client that is not paused may do.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The partner that it acts for.
    pub partner_id: PartnerId,
    /// The granted scopes.
    pub scopes: Vec<String>,
    allowed: Vec<Option<IpRange>>,
}

impl Grant {
    /// Whether the client may call from this address. An address that is not known is allowed only where any is.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        self.allowed.is_empty()
            || address
                .is_some_and(|address| self.allowed.iter().flatten().any(|range| range.contains(address)))
    }
}

/// The grant of a client; none while the client or its partner is paused.
///
/// # Errors
/// When the database fails.
pub fn grant(conn: &mut PgConnection, id: ApiClientId) -> QueryResult<Option<Grant>> {
    let row = api_clients::table
        .inner_join(partners::table)
        .filter(api_clients::id.eq(id))
        .filter(api_clients::paused_at.is_null())
        .filter(partners::paused_at.is_null())
        .select(ClientRow::as_select())
        .first(conn)
        .optional()?;
    Ok(row.map(|row| row.grant()))
}

/// A client whose secret was right.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The client.
    pub id: ApiClientId,
    /// The secret that it showed.
    pub secret_id: ApiClientSecretId,
    /// When that secret stops working.
    pub secret_expires_at: Option<DateTime<Utc>>,
    /// What it may do; none while it or its partner is paused.
    pub grant: Option<Grant>,
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Finds the client with this `client_id` and live secret. Runs in the caller's transaction: the secret stays locked, so
/// that a revocation either comes first or finds the session that follows.
///
/// # Errors
/// When the database fails.
pub fn authenticate(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    client_id: &str,
    secret: &str,
) -> QueryResult<Option<Verified>> {
    let client: Option<ApiClientId> = api_clients::table
        .filter(api_clients::client_id.eq(client_id))
        .select(api_clients::id)
        .first(conn)
        .optional()?;
    let Some(id) = client else { return Ok(None) };
    let found = api_client_secrets::table
        .filter(api_client_secrets::api_client_id.eq(id))
        .filter(api_client_secrets::secret_hash.eq(hash(secret)))
        .filter(is_live!(now))
        .select((api_client_secrets::id, api_client_secrets::expires_at))
        .for_update()
        .first::<(ApiClientSecretId, Option<DateTime<Utc>>)>(conn)
        .optional()?;
    let Some((secret_id, secret_expires_at)) = found else { return Ok(None) };
    Ok(Some(Verified { id, secret_id, secret_expires_at, grant: grant(conn, id)? }))
}

/// Notes that a secret was used.
///
/// # Errors
/// When the database fails.
pub fn touch(conn: &mut PgConnection, now: DateTime<Utc>, secret: ApiClientSecretId) -> QueryResult<()> {
    diesel::update(api_client_secrets::table.find(secret))
        .set(api_client_secrets::last_used_at.eq(now))
        .execute(conn)
        .map(drop)
}

/// A client to be created.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// The id of client and service user.
    pub id: ApiClientId,
    /// The partner that it acts for.
    pub partner_id: PartnerId,
    /// What a token request names.
    pub client_id: String,
    /// What people call it.
    pub name: String,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// Addresses and blocks that it may call from; empty means any.
    pub allowed_addresses: Vec<String>,
}

/// Creates a client and its service user, who has no password, no account and no roles.
///
/// # Errors
/// When the database fails; a taken name is a violation of `api_clients_client_id_key`.
pub fn create(conn: &mut PgConnection, now: DateTime<Utc>, new: NewClient) -> QueryResult<ClientRow> {
    let row = diesel::insert_into(api_clients::table)
        .values((
            api_clients::id.eq(new.id),
            api_clients::partner_id.eq(new.partner_id),
            api_clients::client_id.eq(&new.client_id),
            api_clients::name.eq(&new.name),
            api_clients::scopes.eq(&new.scopes),
            api_clients::allowed_addresses.eq(&new.allowed_addresses),
            api_clients::created_at.eq(now),
            api_clients::updated_at.eq(now),
        ))
        .returning(ClientRow::as_returning())
        .get_result(conn)?;
    diesel::insert_into(users::table)
        .values((
            users::id.eq(UserId(new.id.0)),
            // No person's login has a slash.
            users::login.eq(format!("client/{}", new.client_id)),
            users::display_name.eq(&new.name),
            users::password_hash.eq(auth::unusable_hash()),
            users::api_client_id.eq(new.id),
            users::locale.eq(Locale::ZhCn),
            users::created_at.eq(now),
            users::updated_at.eq(now),
        ))
        .execute(conn)?;
    Ok(row)
}

/// A client.
pub fn find(conn: &mut PgConnection, id: ApiClientId) -> QueryResult<Option<ClientRow>> {
    api_clients::table.find(id).select(ClientRow::as_select()).first(conn).optional()
}

/// A client, locked until the transaction ends.
pub fn lock(conn: &mut PgConnection, id: ApiClientId) -> QueryResult<Option<ClientRow>> {
    api_clients::table.find(id).select(ClientRow::as_select()).for_update().first(conn).optional()
}

/// What an update changes; `None` leaves a column alone.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub name: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub allowed_addresses: Option<Vec<String>>,
    pub paused_at: Option<Option<DateTime<Utc>>>,
}

/// Applies changes and raises the version.
pub fn update(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: ApiClientId,
    changes: Changes,
) -> QueryResult<ClientRow> {
    diesel::update(api_clients::table.find(id))
        .set((
            changes.name.map(|name| api_clients::name.eq(name)),
            changes.scopes.map(|scopes| api_clients::scopes.eq(scopes)),
            changes.allowed_addresses.map(|list| api_clients::allowed_addresses.eq(list)),
            changes.paused_at.map(|at| api_clients::paused_at.eq(at)),
            api_clients::version.eq(api_clients::version + 1),
            api_clients::updated_at.eq(now),
        ))
        .returning(ClientRow::as_returning())
        .get_result(conn)
}

/// A page of clients, newest first.
pub fn list(
    conn: &mut PgConnection,
    partner: Option<PartnerId>,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<ClientRow>> {
    let mut query = api_clients::table.select(ClientRow::as_select()).into_boxed();
    if let Some(partner) = partner {
        query = query.filter(api_clients::partner_id.eq(partner));
    }
    if let Some(Position { at, id }) = after {
        let next = api_clients::created_at.eq(at).and(api_clients::id.lt(ApiClientId(id)));
        query = query.filter(api_clients::created_at.le(at)).filter(api_clients::created_at.lt(at).or(next));
    }
    query
        .order((api_clients::created_at.desc(), api_clients::id.desc()))
        .limit(limit.rows_to_read())
        .load(conn)
}

/// How many secrets of a client are live.
pub fn count_live(conn: &mut PgConnection, now: DateTime<Utc>, client: ApiClientId) -> QueryResult<i64> {
    api_client_secrets::table
        .filter(api_client_secrets::api_client_id.eq(client))
        .filter(is_live!(now))
        .count()
        .get_result(conn)
}

/// Stores a secret's hash.
///
/// # Errors
/// When the database fails.
pub fn insert_secret(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: ApiClientSecretId,
    client: ApiClientId,
    secret: &str,
    expires_at: Option<DateTime<Utc>>,
) -> QueryResult<SecretRow> {
    let hint: String = secret.chars().skip(secret.chars().count().saturating_sub(4)).collect();
    diesel::insert_into(api_client_secrets::table)
        .values((
            api_client_secrets::id.eq(id),
            api_client_secrets::api_client_id.eq(client),
            api_client_secrets::secret_hash.eq(hash(secret)),
            api_client_secrets::hint.eq(hint),
            api_client_secrets::created_at.eq(now),
            api_client_secrets::expires_at.eq(expires_at),
        ))
        .returning(SecretRow::as_returning())
        .get_result(conn)
}

/// Lets the live secrets of a client end at this time, those that would end later.
pub fn expire_others(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    client: ApiClientId,
    at: DateTime<Utc>,
) -> QueryResult<usize> {
    let ends_later =
        api_client_secrets::expires_at.is_null().or(api_client_secrets::expires_at.assume_not_null().gt(at));
    let others = api_client_secrets::table
        .filter(api_client_secrets::api_client_id.eq(client))
        .filter(is_live!(now))
        .filter(ends_later);
    diesel::update(others).set(api_client_secrets::expires_at.eq(at)).execute(conn)
}

/// The secrets of a client, newest first.
pub fn secrets(
    conn: &mut PgConnection,
    client: ApiClientId,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<SecretRow>> {
    let mut query = api_client_secrets::table
        .filter(api_client_secrets::api_client_id.eq(client))
        .select(SecretRow::as_select())
        .into_boxed();
    if let Some(Position { at, id }) = after {
        let next =
            api_client_secrets::created_at.eq(at).and(api_client_secrets::id.lt(ApiClientSecretId(id)));
        query = query
            .filter(api_client_secrets::created_at.le(at))
            .filter(api_client_secrets::created_at.lt(at).or(next));
    }
    query
        .order((api_client_secrets::created_at.desc(), api_client_secrets::id.desc()))
        .limit(limit.rows_to_read())
        .load(conn)
}

/// Revokes a secret. Whether it was there; `None` when it belongs to another client or does not exist.
pub fn revoke(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    client: ApiClientId,
    secret: ApiClientSecretId,
) -> QueryResult<Option<bool>> {
    let revoked_at = api_client_secrets::table
        .filter(api_client_secrets::id.eq(secret))
        .filter(api_client_secrets::api_client_id.eq(client))
        .select(api_client_secrets::revoked_at)
        .for_update()
        .first::<Option<DateTime<Utc>>>(conn)
        .optional()?;
    match revoked_at {
        None => Ok(None),
        Some(Some(_)) => Ok(Some(false)),
        Some(None) => {
            diesel::update(api_client_secrets::table.find(secret))
                .set(api_client_secrets::revoked_at.eq(now))
                .execute(conn)?;
            Ok(Some(true))
        }
    }
}
