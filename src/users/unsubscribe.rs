//! The link in a mail that switches this kind of mail off, without a log-in (RFC 8058). It is signed, belongs to one user and
//! one type of event, and never exists for what cannot be switched off.

use actix_web::{HttpResponse, get, post, web};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::model;
use super::preferences::PreferenceChannel;
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth;
use crate::catalogue::data::{self, is_mandatory};
use crate::error::{ApiError, ApiResult};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::UserId;
use crate::kernel::json::Query;
use crate::schema::notification_preferences as table;

/// The link's own part. In the query, because paths stand in the log.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UnsubscribeQuery {
    /// The signed token of the link.
    #[param(example = "from-the-mail", max_length = 200)]
    token: String,
}

/// Whom a link belongs to, and the kind of mail.
struct Link {
    user: UserId,
    event: &'static data::EventType,
}

/// Reads a token; one that is forged, or for what cannot be switched off, does not exist.
fn read(token: &str) -> ApiResult<Link> {
    let (user, event_type) = auth::read_unsubscribe_token(token).ok_or_else(ApiError::not_found)?;
    let known = data::event_type(&event_type).filter(|event| !is_mandatory(&event.event_type));
    let event = known.ok_or_else(ApiError::not_found)?;
    Ok(Link { user, event })
}

/// A page in the reader's language. The texts are ours; labels come from the catalogue.
fn page(locale: Locale, title: &str, body: &str) -> HttpResponse {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"{locale}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\">\
         <title>{title}</title></head><body><h1>{title}</h1>{body}</body></html>\n"
    );
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("Content-Security-Policy", "default-src 'none'; form-action 'self'"))
        .body(page)
}

/// Ask before a kind of mail is switched off
///
/// For people who open the link of a mail in a browser: a page with one button, in the language of the mail's reader. Reading
/// changes nothing, since mail scanners follow links. No log-in; the link is signed.
#[utoipa::path(operation_id = "getUnsubscribePage", tag = "notifications",
    params(UnsubscribeQuery),
    responses(
        (status = 200, description = "A page with a button.", body = String, content_type = "text/html"),
        (status = 404, description = "`not_found`: the link was not made by this server."),
    ))]
#[get("/v1/unsubscribe")]
pub async fn get_unsubscribe_page(
    app: web::Data<App>,
    query: Query<UnsubscribeQuery>,
) -> ApiResult<HttpResponse> {
    let Link { user, event } = read(&query.0.token)?;
    let found = app.db.run(move |conn| Ok(model::find(conn, user)?)).await?;
    let locale = found.ok_or_else(ApiError::not_found)?.locale;
    let label = locale.pick(&event.label.zh, &event.label.en);
    let (title, text, button) = match locale {
        Locale::ZhCn => ("退订邮件", format!("不再以邮件接收“{label}”通知？站内消息不受影响。"), "退订"),
        Locale::En => (
            "Unsubscribe",
            format!("No more mails about \u{201c}{label}\u{201d}? The inbox goes on showing them."),
            "Unsubscribe",
        ),
    };
    Ok(page(locale, title, &format!("<p>{text}</p><form method=\"post\"><button>{button}</button></form>")))
}

/// Switch a kind of mail off
///
/// One click, from the mail program (`List-Unsubscribe-Post`) or the page: this type of event no longer comes by e-mail. No log-in;
/// the link is signed. Again changes nothing. The user switches it on again with `PUT /v1/me/notification-preferences`.
#[utoipa::path(operation_id = "unsubscribe", tag = "notifications",
    params(UnsubscribeQuery),
    responses(
        (status = 200, description = "A page that says so.", body = String, content_type = "text/html"),
        (status = 404, description = "`not_found`: the link was not made by this server."),
    ))]
#[post("/v1/unsubscribe")]
pub async fn unsubscribe(app: web::Data<App>, query: Query<UnsubscribeQuery>) -> ApiResult<HttpResponse> {
    let Link { user, event } = read(&query.0.token)?;
    let now = app.clock.now();
    let done = app.db.transaction(move |conn| {
        let person = model::lock(conn, user)?.ok_or_else(ApiError::not_found)?;
        let key = (user, event.event_type.as_str(), PreferenceChannel::Email);
        let said: Option<bool> = table::table.find(key).select(table::is_enabled).first(conn).optional()?;
        if said != Some(false) {
            diesel::insert_into(table::table)
                .values((
                    table::user_id.eq(user),
                    table::event_type.eq(&event.event_type),
                    table::channel.eq(PreferenceChannel::Email),
                    table::is_enabled.eq(false),
                ))
                .on_conflict((table::user_id, table::event_type, table::channel))
                .do_update()
                .set(table::is_enabled.eq(false))
                .execute(conn)?;
            model::update(conn, now, user, model::Changes::default())?;
            let details = json!({ "event_type": event.event_type, "channel": "email", "by": "link" });
            let deed = Deed::new("user.preferences_updated", "user", user.0).details(details);
            audit::record(conn, now, &Actor::system(), deed)?;
        }
        Ok(person.locale)
    });
    let locale = done.await?;
    let label = locale.pick(&event.label.zh, &event.label.en);
    let (title, text) = match locale {
        Locale::ZhCn => ("已退订", format!("您将不再以邮件接收“{label}”通知。")),
        Locale::En => ("Unsubscribed", format!("You get no more mails about \u{201c}{label}\u{201d}.")),
    };
    Ok(page(locale, title, &format!("<p>{text}</p>")))
}
