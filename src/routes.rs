//! Every address of the API: one line per feature.

use actix_web::dev::HttpServiceFactory;
use actix_web::guard::{Guard, GuardContext};
use actix_web::http::Method;
use actix_web::{HttpRequest, web};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use utoipa::Path;
use utoipa::openapi::HttpMethod;
use utoipa_actix_web::{OpenApiFactory, service_config::ServiceConfig as Collector};

use crate::app::App;
use crate::error::ApiError;
use crate::error_codes as codes;
use crate::kernel::jobs::Registry;

/// What takes operations: the server's router, which serves them, or utoipa's, which also collects what the document says of them.
/// The program serves the committed document, so only the tests pay for collecting.
pub trait Router {
    /// Adds an operation.
    fn service<F>(&mut self, operation: F) -> &mut Self
    where
        F: HttpServiceFactory + OpenApiFactory + Path + 'static;
}

impl Router for web::ServiceConfig {
    fn service<F>(&mut self, operation: F) -> &mut Self
    where
        F: HttpServiceFactory + OpenApiFactory + Path + 'static,
    {
        // The framework asks one regular expression after the other, until one fits. With a guard before each, only the one that
        // fits is asked (docs/performance.md).
        Self::service(self, web::scope("").guard(Address::of::<F>()).service(operation))
    }
}

impl Router for Collector<'_> {
    fn service<F>(&mut self, operation: F) -> &mut Self
    where
        F: HttpServiceFactory + OpenApiFactory + Path + 'static,
    {
        Self::service(self, operation)
    }
}

/// Method and path of an operation, told from all others without a regular expression.
struct Address {
    methods: Vec<Method>,
    path: String,
    /// Length of what stands before the first parameter.
    fixed: usize,
}

impl Address {
    fn of<F: Path>() -> Self {
        let path = F::path();
        let fixed = path.find('{').unwrap_or(path.len());
        Self { methods: F::methods().iter().map(method).collect(), path, fixed }
    }
}

impl Guard for Address {
    fn check(&self, context: &GuardContext<'_>) -> bool {
        let asked = context.head();
        let path = asked.uri.path();
        // Nearly all are told apart by their beginnings. One that writes its letters as %61 is looked at part by part.
        let begins = || path.as_bytes().get(..self.fixed) == self.path.as_bytes().get(..self.fixed);
        self.methods.contains(&asked.method) && (begins() || path.contains('%')) && fits(&self.path, path)
    }
}

fn method(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

/// Adds every feature's routes, in the order of the work.
pub fn all(cfg: &mut impl Router) {
    crate::auth::routes(cfg);
    crate::users::routes(cfg);
    crate::accounts::routes(cfg);
    crate::api_clients::routes(cfg);
    crate::overview::routes(cfg);
    crate::websites::routes(cfg);
    crate::imports::routes(cfg);
    crate::filings::kinds::routes(cfg);
    crate::filings::routes(cfg);
    crate::filings::notes::routes(cfg);
    crate::filing_batches::routes(cfg);
    crate::filing_streams::routes(cfg);
    crate::reviews::routes(cfg);
    crate::attachments::routes(cfg);
    crate::photo_verifications::routes(cfg);
    crate::catalogue::routes(cfg);
    crate::backdrop_shipments::routes(cfg);
    crate::bureau_submissions::routes(cfg);
    crate::notifications::routes(cfg);
    crate::webhooks::routes(cfg);
    crate::audit::routes(cfg);
    crate::oversight::routes(cfg);
    crate::photo_verifications::admin_routes(cfg);
    crate::health::routes(cfg);
    crate::reference::routes(cfg);
}

/// Registers every feature's background jobs.
pub fn register_jobs(registry: &mut Registry, app: &App) {
    crate::auth::jobs::register(registry, app);
    crate::users::jobs::register(registry, app);
    crate::catalogue::jobs::register(registry, app);
    crate::filings::jobs::register(registry, app);
    crate::filing_batches::register(registry, app);
    crate::attachments::register(registry, app);
    crate::photo_verifications::register(registry, app);
    crate::backdrop_shipments::register(registry, app);
    crate::bureau_submissions::jobs::register(registry, app);
    crate::notifications::register(registry, app);
    crate::oversight::register(registry, app);
    crate::webhooks::register(registry, app);
    crate::sandbox::register(registry, app);
}

/// Tags of the document, in the order that Swagger UI shows.
pub fn tags() -> Value {
    let tags = [
        ("auth", "Log in, refresh, log out; forgotten passwords."),
        ("me", "The caller's own data."),
        ("websites", "Filed data: subjects, websites, the home page."),
        ("filings", "A request to change filed data, from draft to decision."),
        ("attachments", "Materials: declare, upload to storage, complete."),
        ("photo verifications", "The responsible person before the backdrop."),
        ("backdrop shipments", "The blue cloth's journey by courier."),
        ("reviews", "The reviewers' queue and decisions."),
        ("bureau", "Hand-over to the provincial bureau and its decision."),
        ("notifications", "The inbox."),
        ("webhooks", "Partners' endpoints, deliveries, and events for catching up."),
        ("webhook events", "What partners' receivers get; the server sends these."),
        ("catalogue", "Rules as data: reasons, terms, regions, calendar, dictionaries."),
        ("people", "Users, partners, their clients, and accounts, by the admin."),
        ("oversight", "Alarms, audit trail, messages, background jobs."),
        ("health", "For operators."),
    ];
    tags.iter().map(|(name, description)| json!({ "name": name, "description": description })).collect()
}

/// Tells an unknown address (404) from a known one asked with a wrong method (405 with `Allow`).
pub struct KnownPaths(Vec<(String, String)>);

impl KnownPaths {
    /// Reads the finished document.
    pub fn new(document: &Value) -> Self {
        let mut paths: Vec<(&String, &Value)> = document["paths"].as_object().into_iter().flatten().collect();
        // As the router does: an address without parameters before those that its last part would fit as an id.
        paths.sort_by_key(|(path, _)| path.matches('{').count());
        let allowed = |item: &Value| {
            let methods = item.as_object().into_iter().flatten();
            methods.map(|(method, _)| method.to_uppercase()).collect::<Vec<_>>().join(", ")
        };
        Self(paths.into_iter().map(|(path, item)| (path.clone(), allowed(item))).collect())
    }

    /// The problem for a request that no route took.
    pub fn refuse(&self, req: &HttpRequest) -> ApiError {
        match self.0.iter().find(|(known, _)| fits(known, req.path())) {
            Some((_, methods)) => ApiError::new(&codes::METHOD_NOT_ALLOWED).allow(methods.clone()),
            None => ApiError::new(&codes::ROUTE_NOT_FOUND),
        }
    }
}

/// Whether an address is one of a path with parameters, such as `/v1/filings/{id}`. Letters may be written as `%61`.
fn fits(known: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let is_same = known.split('/').all(|part| {
        parts.next().is_some_and(|given| {
            part == given
                || part.starts_with('{') && !given.is_empty()
                || given.contains('%') && percent_decode_str(given).eq(part.bytes())
        })
    });
    is_same && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn an_address_fits_its_path_part_by_part() {
        assert!(fits("/v1/filings/{id}/submit", "/v1/filings/1/submit"));
        assert!(fits("/version", "/version"));
        assert!(fits("/v1/filings/{id}", "/v1/fil%69ngs/%31"));
        for other in ["/v1/filings//submit", "/v1/filings/1", "/v1/filings/1/submit/", "/v1/filings/1/x", "/"]
        {
            assert!(!fits("/v1/filings/{id}/submit", other), "{other}");
        }
    }
}
