//! Handlers of the health addresses.

use actix_web::{HttpResponse, get, http::StatusCode, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ApiResult;
use crate::kernel::{envelope, reply::Reply};

/// Health of the server.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`, or what is missing.
    #[schema(example = "ok")]
    status: String,
}

/// Version of the server.
#[derive(Serialize, ToSchema)]
pub struct Version {
    /// Semantic version.
    #[schema(example = "0.1.0")]
    version: String,
}

/// Is the process alive
///
/// Answers as long as the process runs; asks nothing else.
#[utoipa::path(operation_id = "getLiveness", tag = "health", responses((status = 200, description = "Alive.", body = Health)))]
#[get("/livez")]
pub async fn get_liveness() -> ApiResult<Reply> {
    Reply::ok(&Health { status: "ok".to_owned() })
}

/// Can it serve
///
/// Asks database and storage. A load balancer sends nothing here while it answers 503.
#[utoipa::path(operation_id = "getReadiness", tag = "health", responses(
    (status = 200, description = "Ready.", body = Health),
    (status = 503, description = "`unavailable`"),
))]
#[get("/readyz")]
pub async fn get_readiness(app: web::Data<App>) -> HttpResponse {
    let mut missing = Vec::new();
    if app.db.ping().await.is_err() {
        missing.push("database");
    }
    if app.storage.check().await.is_err() {
        missing.push("storage");
    }
    if missing.is_empty() {
        HttpResponse::Ok().json(Health { status: "ok".to_owned() })
    } else {
        envelope::plain(
            StatusCode::SERVICE_UNAVAILABLE,
            serde_json::json!({ "status": format!("waiting for {}", missing.join(" and ")) }),
        )
    }
}

/// Which version is this
///
/// The released version of the server and of its document.
#[utoipa::path(operation_id = "getVersion", tag = "health", responses((status = 200, description = "The version.", body = Version)))]
#[get("/version")]
pub async fn get_version() -> ApiResult<Reply> {
    Reply::ok(&Version { version: crate::openapi::VERSION.to_owned() })
}
