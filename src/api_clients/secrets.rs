//! Secrets of a client: several may be live at once, so that one can follow the other without a gap.

use actix_web::{delete, get, post, web};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::MAX_LIVE_SECRETS;
use super::model::{self, SecretRow};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{self, Allowed, op};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::kernel::ids::{ApiClientId, ApiClientSecretId, UserId};
use crate::kernel::json::{Json, Path, PathPair, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;

/// A secret of a client. The secret itself is shown once, when it is created.
#[derive(Serialize, ToSchema)]
pub struct ApiClientSecret {
    id: ApiClientSecretId,
    /// Its last four characters.
    hint: String,
    /// Neither expired nor revoked.
    is_live: bool,
    /// Null: never.
    expires_at: Option<DateTime<Utc>>,
    /// When it last got a token.
    last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked; null while it may be used.
    revoked_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl ApiClientSecret {
    fn of(row: SecretRow, now: DateTime<Utc>) -> Self {
        Self {
            is_live: row.revoked_at.is_none() && row.expires_at.is_none_or(|at| at > now),
            id: row.id,
            hint: row.hint,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
            created_at: row.created_at,
        }
    }
}

/// A new secret. Keep `secret`: it is not shown again.
#[derive(Serialize, ToSchema)]
pub struct NewApiClientSecret {
    id: ApiClientSecretId,
    /// What to send as `client_secret`.
    #[schema(example = "bsk_Zm9yIHlvdXIgZXllcyBvbmx5LCBzaG93biBvbmNlIG9u")]
    secret: String,
    /// Its last characters, to tell it from others.
    hint: String,
    /// When it ends; null: it does not.
    expires_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// A page of secrets.
#[derive(Serialize, ToSchema)]
pub struct ApiClientSecretPage {
    items: Vec<ApiClientSecret>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// How long the new secret and those before it live.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "expires_at": null, "others_expire_at": null }))]
pub struct ApiClientSecretCreation {
    /// When the new secret stops working; null: never.
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
    /// For a rotation: the secrets so far stop working at this time (those that would live longer). Null: they stay.
    #[serde(default)]
    others_expire_at: Option<DateTime<Utc>>,
}

/// The page to show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApiClientSecretQuery {
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// `bsk_` and 256 random bits.
fn random_secret() -> String {
    format!("bsk_{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

/// Create a secret of a client
///
/// Admin. The reply shows the secret, once; it is not kept, so there is no Idempotency-Key here. To rotate, create one
/// with `others_expire_at` some days ahead, give it to the partner, and let the old ones expire. Five may be live at once.
#[utoipa::path(operation_id = "createApiClientSecret", tag = "people",
    params(("id" = ApiClientId, Path, description = "The client.", example = "0193a000-0000-7000-8000-000000027001")),
    responses(
        (status = 201, description = "The secret.", body = NewApiClientSecret),
        (status = 409, description = "`limit_reached`: five are live."),
    ))]
#[post("/v1/api-clients/{id}/secrets")]
pub async fn create_api_client_secret(
    app: web::Data<App>,
    caller: Allowed<op::CreateApiClientSecret>,
    id: Path<ApiClientId>,
    body: Json<ApiClientSecretCreation>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (id, caller, body) = (id.0, caller.caller, body.0);
    for (pointer, at) in [("/expires_at", body.expires_at), ("/others_expire_at", body.others_expire_at)] {
        if at.is_some_and(|at| at <= now) {
            return Err(ApiError::invalid_field(
                pointer,
                "out_of_range",
                "须为将来的时间",
                "must be in the future",
            ));
        }
    }
    app.db
        .transaction(move |conn| {
            // Locked: two requests at once cannot both find room for the last secret.
            model::lock(conn, id)?.ok_or_else(ApiError::not_found)?;
            if model::count_live(conn, now, id)? >= MAX_LIVE_SECRETS {
                return Err(ApiError::new(&codes::LIMIT_REACHED));
            }
            if let Some(at) = body.others_expire_at {
                model::expire_others(conn, now, id, at)?;
            }
            let secret = random_secret();
            let row = model::insert_secret(conn, now, ApiClientSecretId::new(), id, &secret, body.expires_at)?;
            let deed = Deed::new("api_client.secret_created", "api_client", id.0).details(json!({
                "secret_id": row.id, "expires_at": row.expires_at, "others_expire_at": body.others_expire_at }));
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            let location = format!("/v1/api-clients/{id}/secrets");
            Reply::created(
                location,
                &NewApiClientSecret {
                    id: row.id,
                    secret,
                    hint: row.hint,
                    expires_at: row.expires_at,
                    created_at: row.created_at,
                },
            )
        })
        .await
}

/// List the secrets of a client
///
/// Admin. Newest first, with the end and the last use of each; revoked and expired ones too. Never the secrets themselves.
#[utoipa::path(operation_id = "listApiClientSecrets", tag = "people",
    params(("id" = ApiClientId, Path, description = "The client.", example = "0193a000-0000-7000-8000-000000027001"),
        ApiClientSecretQuery),
    responses((status = 200, description = "A page of secrets.", body = ApiClientSecretPage)))]
#[get("/v1/api-clients/{id}/secrets")]
pub async fn list_api_client_secrets(
    app: web::Data<App>,
    _caller: Allowed<op::ListApiClientSecrets>,
    id: Path<ApiClientId>,
    query: Query<ApiClientSecretQuery>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (id, ApiClientSecretQuery { limit, cursor }) = (id.0, query.0);
    let binding = format!("api_client_secrets {id}");
    let after = page::decode(cursor.as_deref(), &binding)?;
    let rows = app
        .db
        .run(move |conn| {
            model::find(conn, id)?.ok_or_else(ApiError::not_found)?;
            Ok(model::secrets(conn, id, after, limit)?)
        })
        .await?;
    let page = Page::cut(rows, limit, &binding, |row| Position { at: row.created_at, id: row.id.0 })
        .map(|row| ApiClientSecret::of(row, now));
    let body =
        ApiClientSecretPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}

/// Revoke a secret of a client
///
/// Admin. It gets no more tokens, and the tokens that it got stop working within ten seconds. A revoked one stays so.
#[utoipa::path(operation_id = "revokeApiClientSecret", tag = "people",
    params(("id" = ApiClientId, Path, description = "The client.", example = "0193a000-0000-7000-8000-000000027001"),
        ("secret_id" = ApiClientSecretId, Path, description = "The secret.", example = "0193a000-0000-7000-8000-000000028002")),
    responses((status = 204, description = "Revoked.")))]
#[delete("/v1/api-clients/{id}/secrets/{secret_id}")]
pub async fn revoke_api_client_secret(
    app: web::Data<App>,
    caller: Allowed<op::RevokeApiClientSecret>,
    path: PathPair<ApiClientId, ApiClientSecretId>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (PathPair(id, secret), caller) = (path, caller.caller);
    app.db
        .transaction(move |conn| {
            if !model::revoke(conn, now, id, secret)?.ok_or_else(ApiError::not_found)? {
                return Ok(());
            }
            auth::revoke_sessions_of_secret(conn, now, secret)?;
            let deed = Deed::new("api_client.secret_revoked", "api_client", id.0)
                .details(json!({ "secret_id": secret }));
            Ok(audit::record(conn, now, &Actor::from(&caller), deed)?)
        })
        .await?;
    app.sessions.forget_user(UserId(id.0));
    Ok(Reply::no_content())
}
