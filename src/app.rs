//! The application: what every handler and job can reach, and how the server is put together.

use std::{net::TcpListener, ops::Deref, sync::Arc, time::Duration};

use actix_cors::Cors;
use actix_web::{App as ActixApp, HttpResponse, HttpServer, dev::Server, http::header, middleware, web};
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::{Config as SwaggerConfig, SwaggerUi, oauth};

use crate::auth::{SessionCache, TokenKeys};
use crate::config::Config;
use crate::external::storage::Storage;
use crate::kernel::{clock::Clock, db::Db, envelope, jobs::Waker, json::BodySchemas, rate_limit::RateLimit};
use crate::{openapi, routes, telemetry};

/// Everything that handlers and jobs need; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of [`App`].
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// How the outside world reaches this API, without a final slash.
    pub public_url: String,
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The object store.
    pub storage: Storage,
    /// Signs and reads access tokens.
    pub tokens: TokenKeys,
    /// Sessions verified a moment ago.
    pub sessions: SessionCache,
    /// Wakes the worker of this process.
    pub waker: Waker,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

/// The HTTP server on a bound listener, with `threads` event loops. It does not handle signals: its owner stops it.
///
/// # Errors
/// When the listener cannot be used.
pub fn http_server(app: App, listener: TcpListener, threads: usize) -> std::io::Result<Server> {
    let document = openapi::document();
    let schemas = web::Data::new(BodySchemas::new(&document));
    let known = web::Data::new(routes::KnownPaths::new(&document));
    let text = web::Data::new(DocumentText(serde_json::to_string(&document).unwrap_or_default()));
    let limit = web::Data::new(RateLimit::new(app.config.http.rate_limit_per_second));
    let shutdown = app.config.http.shutdown_timeout;
    let data = web::Data::new(app);
    let server = HttpServer::new(move || {
        let (router, _) = ActixApp::new().into_utoipa_app().configure(routes::all).split_for_parts();
        router
            .app_data(data.clone())
            .app_data(schemas.clone())
            .app_data(known.clone())
            .app_data(text.clone())
            .app_data(limit.clone())
            .route("/openapi.json", web::get().to(openapi_json))
            .service(swagger_ui())
            .route("/", web::get().to(|| async {
                HttpResponse::Found().insert_header((header::LOCATION, "/swagger-ui/")).finish()
            }))
            .default_service(web::to(
                |req: actix_web::HttpRequest, known: web::Data<routes::KnownPaths>| async move {
                    Err::<HttpResponse, _>(known.refuse(&req))
                },
            ))
            .wrap(middleware::Compress::default())
            .wrap(cors(&data.config.http.cors_origins))
            .wrap(telemetry::request_logger())
            .wrap(middleware::from_fn(envelope::wrap))
    })
    .workers(threads)
    .client_request_timeout(Duration::from_secs(10))
    .shutdown_timeout(shutdown.as_secs())
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}

struct DocumentText(String);

async fn openapi_json(text: web::Data<DocumentText>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(text.0.clone())
}

fn swagger_ui() -> SwaggerUi {
    let config = SwaggerConfig::new(["/openapi.json"])
        .try_it_out_enabled(true)
        .persist_authorization(true)
        .display_request_duration(true)
        .display_operation_id(true)
        .request_snippets_enabled(true)
        .filter(true);
    SwaggerUi::new("/swagger-ui/{_:.*}").config(config).oauth(oauth::Config::new().client_id("swagger-ui").client_secret(""))
}

/// Exactly the configured origins; nothing by default.
fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST", "PATCH", "PUT", "DELETE"])
        .allowed_headers(["Authorization", "Content-Type", "Accept-Language", "If-Match", "If-None-Match", "Idempotency-Key", "X-Request-Id", "traceparent"])
        .expose_headers(["ETag", "Link", "Location", "X-Request-Id", "Retry-After", "Idempotency-Replayed"])
        .max_age(3600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
