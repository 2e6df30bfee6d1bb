//! Handlers of the pages of the error codes.

use actix_web::{HttpRequest, HttpResponse, get, http::header};
use minijinja::context;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::html;
use crate::error::{ApiError, ApiResult};
use crate::error_codes::{self, ErrorCode};
use crate::kernel::{
    i18n::Locale,
    json::{Path, Query},
};

/// An explained error code.
#[derive(Serialize, ToSchema)]
pub struct ProblemPage {
    /// The code.
    #[schema(example = "not_found")]
    code: &'static str,
    /// HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// Short name.
    title: &'static str,
    /// What a problem of this code says when it has nothing more exact to say.
    detail: &'static str,
    /// What the code means; words in backquotes are code.
    meaning: &'static str,
    /// How it commonly comes about.
    cause: &'static str,
    /// What to do.
    action: &'static str,
}

/// An error code in the list.
#[derive(Serialize, ToSchema)]
pub struct ProblemSummary {
    /// Address of its page; `type` of its problems.
    #[schema(example = "/problems/not_found")]
    r#type: String,
    /// The code.
    #[schema(example = "not_found")]
    code: &'static str,
    /// HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// Short name.
    title: &'static str,
    /// What a problem of this code says when it has nothing more exact to say.
    detail: &'static str,
    /// What the code means; words in backquotes are code.
    meaning: &'static str,
    /// How it commonly comes about.
    cause: &'static str,
    /// What to do.
    action: &'static str,
}

/// Every error code.
#[derive(Serialize, ToSchema)]
pub struct ProblemList {
    /// In the order of the statuses.
    items: Vec<ProblemSummary>,
}

/// In which language.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReadingQuery {
    /// Language of the texts; without it `Accept-Language` decides.
    #[param(example = "en", nullable = false)]
    pub(super) language: Option<Locale>,
}

fn text(code: &ErrorCode, locale: Locale) -> ApiResult<&'static error_codes::Text> {
    code.page(locale).ok_or_else(|| ApiError::internal(format!("the code {} has no page", code.code)))
}

fn summary(code: &'static ErrorCode, locale: Locale) -> ApiResult<ProblemSummary> {
    let text = text(code, locale)?;
    Ok(ProblemSummary {
        r#type: format!("/problems/{}", code.code),
        code: code.code,
        status: code.status,
        title: code.title(locale),
        detail: code.detail(locale),
        meaning: &text.meaning,
        cause: &text.cause,
        action: &text.action,
    })
}

fn page(code: &'static ErrorCode, locale: Locale) -> ApiResult<ProblemPage> {
    let text = text(code, locale)?;
    Ok(ProblemPage {
        code: code.code,
        status: code.status,
        title: code.title(locale),
        detail: code.detail(locale),
        meaning: &text.meaning,
        cause: &text.cause,
        action: &text.action,
    })
}

/// JSON for programs, or the page for who prefers HTML.
fn reply(
    req: &HttpRequest,
    locale: Locale,
    body: &impl Serialize,
    template: &'static str,
) -> ApiResult<HttpResponse> {
    if html::is_wanted(req) {
        let words = html::Words::of(locale);
        return html::page(template, locale, context! { body, words });
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_LANGUAGE, locale.as_str()))
        .insert_header((header::VARY, "Accept"))
        .json(body))
}

/// Every error code
///
/// For people in a browser a page (`Accept: text/html`), for programs JSON. In the order of the statuses. Codes may be added.
#[utoipa::path(operation_id = "listProblems", tag = "health",
    params(ReadingQuery),
    responses((status = 200, description = "The codes.", content(
        (ProblemList = "application/json"),
        (String = "text/html"),
    ))))]
#[get("/problems")]
pub async fn list_problems(
    req: HttpRequest,
    query: Query<ReadingQuery>,
    locale: Locale,
) -> ApiResult<HttpResponse> {
    let locale = query.0.language.unwrap_or(locale);
    let items = error_codes::ALL.iter().map(|code| summary(code, locale)).collect::<ApiResult<_>>()?;
    reply(&req, locale, &ProblemList { items }, "problems.html")
}

/// What an error code means
///
/// The address that `type` of a problem points to: meaning, cause, and what to do. For people in a browser a page
/// (`Accept: text/html`), for programs JSON.
#[utoipa::path(operation_id = "getProblem", tag = "health",
    params(("code" = String, Path, description = "The code.", example = "not_found"), ReadingQuery),
    responses((status = 200, description = "The code explained.", content(
        (ProblemPage = "application/json"),
        (String = "text/html"),
    ))))]
#[get("/problems/{code}")]
pub async fn get_problem(
    req: HttpRequest,
    code: Path<String>,
    query: Query<ReadingQuery>,
    locale: Locale,
) -> ApiResult<HttpResponse> {
    let known = error_codes::find(&code.0).ok_or_else(ApiError::not_found)?;
    let locale = query.0.language.unwrap_or(locale);
    reply(&req, locale, &page(known, locale)?, "problem.html")
}
