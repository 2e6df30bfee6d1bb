//! Who calls: the extractor that every protected handler names in its signature, so that it cannot forget the check.

use std::{
    collections::HashMap,
    future::Future,
    marker::PhantomData,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, RwLock},
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header, web};
use chrono::{DateTime, Duration, Utc};
use diesel::{
    ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, PgConnection, QueryDsl,
    RunQueryDsl,
};
use secrecy::zeroize::Zeroize;

use super::permissions::{Permission, Role};
use crate::api_clients::{self, Grant};
use crate::app::App;
use crate::error::{ApiError, ApiResult, members};
use crate::error_codes as codes;
use crate::kernel::envelope::{Decision, Undecided};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{AccountId, ApiClientId, PartnerId, SessionId, UserId};
use crate::schema::{accounts, sessions, users};

/// How long a verified session is remembered: logging out and disabling take effect within it.
const REMEMBERED_SECONDS: i64 = 5;
/// How many sessions are remembered at most.
const REMEMBERED_SESSIONS: usize = 10_000;

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The log-in session.
    pub session_id: SessionId,
    /// The account, for applicants.
    pub account_id: Option<AccountId>,
    /// The partner, for a partner's client.
    pub partner_id: Option<PartnerId>,
    /// The roles; `applicant` for users of an account, `partner` for a partner's client.
    pub roles: Vec<Role>,
    /// What the token may be used for; `None`: everything that the roles open.
    pub scopes: Option<Vec<String>>,
    /// Language of this request.
    pub locale: Locale,
    /// Peer address, behind trusted proxies the forwarded one.
    pub address: Option<IpAddr>,
    /// `X-Request-Id` of this request.
    pub request_id: String,
}

impl Caller {
    /// Whether the caller has this role. A senior reviewer is a reviewer too.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role) || role == Role::Reviewer && self.roles.contains(&Role::SeniorReviewer)
    }

    /// Whether the caller stands on the owner's side.
    pub fn is_owner_side(&self) -> bool {
        self.account_id.is_some() || self.partner_id.is_some()
    }

    /// Name of the caller's view of a resource, for ETags and timelines: the role, never the person.
    pub fn view(&self) -> &'static str {
        self.roles.first().map_or("none", |role| role.as_str())
    }

    /// Whether data of this account (and its partner) are the caller's own.
    pub fn owns(&self, account: AccountId, partner: Option<PartnerId>) -> bool {
        self.account_id == Some(account) || (self.partner_id.is_some() && self.partner_id == partner)
    }
}

/// A caller who may do `O`.
pub struct Allowed<O> {
    /// Who it is.
    pub caller: Caller,
    /// When the token ends that they showed.
    pub token_expires_at: DateTime<Utc>,
    operation: PhantomData<O>,
}

impl<O> std::ops::Deref for Allowed<O> {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<O: Permission> FromRequest for Allowed<O> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(allow(req.clone()))
    }
}

async fn allow<O: Permission>(req: HttpRequest) -> ApiResult<Allowed<O>> {
    let (caller, token_expires_at) = authenticate(&req, decide_again::<O>).await?;
    if !O::OPERATION.is_open_to(&caller.roles) {
        return Err(ApiError::new(&codes::FORBIDDEN));
    }
    if !O::OPERATION.is_within(caller.scopes.as_deref()) {
        return Err(
            ApiError::new(&codes::INSUFFICIENT_SCOPE).with(&members::REQUIRED_SCOPE, O::OPERATION.scope)
        );
    }
    Ok(Allowed { caller, token_expires_at, operation: PhantomData })
}

fn decide_again<O: Permission>(req: HttpRequest) -> Pin<Box<dyn Future<Output = ApiResult<()>>>> {
    Box::pin(async move { allow::<O>(req).await.map(drop) })
}

/// While the session is looked up, other extractors go on, and a faulty body may be refused first. Whoever may not do the operation
/// must not learn how its body is judged: `again` is left with the request until the look-up has ended, and the envelope runs it
/// before it sends another refusal.
async fn authenticate(req: &HttpRequest, again: Decision) -> ApiResult<(Caller, DateTime<Utc>)> {
    let app =
        req.app_data::<web::Data<App>>().ok_or_else(|| ApiError::internal("no application data"))?.clone();
    let mut token = bearer(req).ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
    let now = app.clock.now();
    let claims = app.tokens.verify(&token, now);
    token.zeroize();
    let claims = claims?;
    let identity = match app.sessions.recall(claims.sid, now) {
        Some(identity) => identity,
        None => {
            let id = claims.sid;
            req.extensions_mut().insert(Undecided(again));
            let found = app.db.run(move |conn| Ok(load_identity(conn, id)?)).await;
            req.extensions_mut().remove::<Undecided>();
            let found = found?;
            let identity = found.ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
            app.sessions.remember(claims.sid, identity.clone(), now);
            identity
        }
    };
    if identity.user_id != claims.sub {
        return Err(ApiError::new(&codes::UNAUTHENTICATED));
    }
    let address = crate::kernel::peer::address(req, &app.config.http.trusted_proxies);
    if identity.client.as_ref().is_some_and(|grant| !grant.admits(address)) {
        return Err(ApiError::new(&codes::ADDRESS_NOT_ALLOWED));
    }
    let asked = claims.scope.as_deref();
    let caller = Caller {
        user_id: identity.user_id,
        session_id: claims.sid,
        account_id: identity.account_id,
        partner_id: identity.client.as_ref().map(|grant| grant.partner_id),
        scopes: scopes(asked, identity.client.as_ref().map(|grant| grant.scopes.as_slice())),
        roles: identity.roles,
        locale: Locale::of(req.headers()),
        address,
        request_id: crate::kernel::request_id::of(req),
    };
    Ok((caller, claims.expires_at()))
}

/// Whether a caller who was let in a while ago would be let in again: for work that goes on for long. The end of the token is
/// not looked at.
///
/// # Errors
/// When the database fails.
pub fn is_still_allowed<O: Permission>(
    conn: &mut PgConnection,
    caller: &Caller,
) -> diesel::QueryResult<bool> {
    let Some(identity) = load_identity(conn, caller.session_id)? else { return Ok(false) };
    let client = identity.client.as_ref();
    let scopes = scopes(
        caller.scopes.as_ref().map(|scopes| scopes.join(" ")).as_deref(),
        client.map(|grant| grant.scopes.as_slice()),
    );
    Ok(identity.user_id == caller.user_id
        && identity.account_id == caller.account_id
        && client.map(|grant| grant.partner_id) == caller.partner_id
        && client.is_none_or(|grant| grant.admits(caller.address))
        && O::OPERATION.is_open_to(&identity.roles)
        && O::OPERATION.is_within(scopes.as_deref()))
}

/// What is both in the token and granted now: a grant taken back works on tokens that were given before.
fn scopes(token: Option<&str>, granted: Option<&[String]>) -> Option<Vec<String>> {
    let of_token = token.map(|text| text.split(' ').collect::<Vec<_>>());
    match (of_token, granted) {
        (None, None) => None,
        (Some(token), None) => Some(token.into_iter().map(str::to_owned).collect()),
        (None, Some(granted)) => Some(granted.to_vec()),
        (Some(token), Some(granted)) => {
            Some(granted.iter().filter(|scope| token.contains(&scope.as_str())).cloned().collect())
        }
    }
}

fn bearer(req: &HttpRequest) -> Option<String> {
    let value = req.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// What a live session says about its user.
#[derive(Clone, Debug)]
pub struct Identity {
    user_id: UserId,
    account_id: Option<AccountId>,
    /// For a partner's client.
    client: Option<Arc<Grant>>,
    roles: Vec<Role>,
}

/// The user of a session that is neither revoked nor the session of a disabled user or account, of a paused client or
/// of a client of a paused partner.
pub(super) fn load_identity(conn: &mut PgConnection, id: SessionId) -> diesel::QueryResult<Option<Identity>> {
    let row = sessions::table
        .inner_join(users::table)
        .left_join(accounts::table.on(users::account_id.eq(accounts::id.nullable())))
        .filter(sessions::id.eq(id))
        .filter(sessions::revoked_at.is_null())
        .filter(users::disabled_at.is_null())
        .filter(accounts::disabled_at.is_null())
        .select((users::id, users::account_id, users::api_client_id, users::roles))
        .first::<UserRow>(conn)
        .optional()?;
    row.map_or(Ok(None), |row| identity(conn, row))
}

/// A user's id, account, client and stored roles.
type UserRow = (UserId, Option<AccountId>, Option<ApiClientId>, Vec<Option<String>>);

fn identity(conn: &mut PgConnection, row: UserRow) -> diesel::QueryResult<Option<Identity>> {
    let (user_id, account_id, client_id, names) = row;
    let mut client = None;
    let roles = match (account_id, client_id) {
        (Some(_), _) => vec![Role::Applicant],
        (None, Some(id)) => {
            let Some(grant) = api_clients::grant(conn, id)? else { return Ok(None) };
            client = Some(Arc::new(grant));
            vec![Role::Partner]
        }
        (None, None) => names.into_iter().flatten().filter_map(|name| name.parse().ok()).collect(),
    };
    Ok(Some(Identity { user_id, account_id, client, roles }))
}

/// The user in whose name a job does what a request has ordered, if they still may: not disabled, client and partner not
/// paused, the scope not taken back.
///
/// # Errors
/// When the database fails.
pub fn on_behalf<O: Permission>(
    conn: &mut PgConnection,
    user: UserId,
    address: Option<IpAddr>,
    request_id: &str,
) -> diesel::QueryResult<Option<Caller>> {
    let row = users::table
        .left_join(accounts::table.on(users::account_id.eq(accounts::id.nullable())))
        .filter(users::id.eq(user))
        .filter(users::disabled_at.is_null())
        .filter(accounts::disabled_at.is_null())
        .select((users::id, users::account_id, users::api_client_id, users::roles))
        .first::<UserRow>(conn)
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let Some(identity) = identity(conn, row)? else { return Ok(None) };
    let scopes = identity.client.as_ref().map(|grant| grant.scopes.clone());
    let is_allowed = O::OPERATION.is_open_to(&identity.roles) && O::OPERATION.is_within(scopes.as_deref());
    Ok(is_allowed.then(|| Caller {
        user_id: identity.user_id,
        // There is no session: the request may have ended long ago.
        session_id: SessionId(uuid::Uuid::nil()),
        account_id: identity.account_id,
        partner_id: identity.client.as_ref().map(|grant| grant.partner_id),
        scopes,
        roles: identity.roles,
        locale: Locale::ZhCn,
        address,
        request_id: request_id.to_owned(),
    }))
}

/// Sessions verified a moment ago, so that a burst of requests costs one look-up.
#[derive(Default)]
pub struct SessionCache(RwLock<HashMap<SessionId, (DateTime<Utc>, Identity)>>);

impl SessionCache {
    fn recall(&self, id: SessionId, now: DateTime<Utc>) -> Option<Identity> {
        let map = self.0.read().ok()?;
        let (at, identity) = map.get(&id)?;
        (now - *at < Duration::seconds(REMEMBERED_SECONDS)).then(|| identity.clone())
    }

    fn remember(&self, id: SessionId, identity: Identity, now: DateTime<Utc>) {
        let Ok(mut map) = self.0.write() else { return };
        if map.len() >= REMEMBERED_SESSIONS {
            map.retain(|_, (at, _)| now - *at < Duration::seconds(REMEMBERED_SECONDS));
        }
        if map.len() < REMEMBERED_SESSIONS {
            map.insert(id, (now, identity));
        }
    }

    /// Forgets a session at once in this process, as log-out does.
    pub fn forget(&self, id: SessionId) {
        if let Ok(mut map) = self.0.write() {
            map.remove(&id);
        }
    }

    /// Forgets all sessions of a user at once in this process: after disabling, or a new password.
    pub fn forget_user(&self, id: UserId) {
        if let Ok(mut map) = self.0.write() {
            map.retain(|_, (_, identity)| identity.user_id != id);
        }
    }

    /// Forgets all sessions of a partner's clients at once in this process.
    pub fn forget_partner(&self, id: PartnerId) {
        if let Ok(mut map) = self.0.write() {
            map.retain(|_, (_, identity)| {
                identity.client.as_ref().is_none_or(|grant| grant.partner_id != id)
            });
        }
    }

    /// Forgets all sessions of an account's users at once in this process.
    pub fn forget_account(&self, id: AccountId) {
        if let Ok(mut map) = self.0.write() {
            map.retain(|_, (_, identity)| identity.account_id != Some(id));
        }
    }
}
