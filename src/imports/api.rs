//! The one address of imports.

use crate::routes::Router;
use actix_web::{post, web};

use super::body::{ImportRequest, ImportResult};
use super::store;
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::error::ApiResult;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::json::Json;
use crate::kernel::reply::Reply;

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl Router) {
    cfg.service(create_import);
}

/// Import filed data
///
/// The admin for any account, a partner's client for the partner's. Up to 500 subjects with their websites, all or
/// nothing: faults are named by row and field, such as `/rows/3/subject/certificate/number`, first all of form, then, when the
/// form is right, all of content. What is filed here already under the same ICP numbers and account gets a new filed version, or
/// stays when nothing differs: name the account by `account_id`, or a partner by its `external_reference`. A subject with a live
/// filing is a fault of its row like any other (`live_filing_blocks_import`). The body may have 16 MiB.
#[utoipa::path(operation_id = "createImport", tag = "websites",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat harmless for 24 hours.", nullable = false)),
    request_body = ImportRequest,
    responses(
        (status = 200, description = "What was taken over.", body = ImportResult),
        (status = 409, description = "`duplicate`: somebody imported the same meanwhile."),
    ))]
#[post("/v1/imports")]
pub async fn create_import(
    app: web::Data<App>,
    caller: Allowed<op::CreateImport>,
    idem: Idempotency,
    body: Json<ImportRequest>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller.clone();
    let who = caller.user_id.to_string();
    idem.run(
        &app.db,
        now,
        &who,
        |_| Ok(()),
        move |conn| Reply::ok(&store::import(conn, now, &caller, body.0)?),
    )
    .await
}
