//! The one address of the home page.

use crate::routes::Router;
use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{Allowed, Caller, op};
use crate::catalogue::data;
use crate::error::ApiResult;
use crate::filings::prompts::{self, Prompt};
use crate::filings::{Filing, Status};
use crate::kernel::etag::{content_version, etag};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{FilingId, WebsiteId};
use crate::kernel::reply::Reply;
use crate::schema::{accounts, filings, notifications, website_contents, websites};
use crate::users::undeliverable;
use crate::websites::content::WebsiteContent;
use crate::websites::next_action::NextAction;
use crate::websites::{Scope, WebsiteRow, WebsiteSummary, summaries};

/// How many websites and live filings the home page shows; the lists show all.
const SHOWN: i64 = 20;

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl Router) {
    cfg.service(get_overview);
}

/// The home page.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    /// The newest websites, 20 at most.
    pub websites: Vec<WebsiteSummary>,
    /// Whether `GET /v1/websites` has more.
    pub has_more_websites: bool,
    /// Live filings, 20 at most: those that wait for the caller first, then by the time of their last change.
    pub live_filings: Vec<OverviewFiling>,
    /// Whether `GET /v1/filings` has more live ones.
    pub has_more_live_filings: bool,
    /// What the caller should do, the most urgent first; empty when everything waits for others.
    pub next_steps: Vec<OverviewStep>,
    /// What the caller should do about their own contacts, such as `update_mobile` when messages do not arrive.
    pub next_actions: Vec<NextAction>,
    /// Messages in the inbox that nobody has read.
    pub unread_notifications: i64,
}

/// A live filing on the home page.
#[derive(Debug, Serialize, ToSchema)]
pub struct OverviewFiling {
    /// Its id.
    pub id: FilingId,
    /// 备案订单号
    #[schema(example = "BA-2026-000123")]
    pub order_no: String,
    /// Code of the dictionary `filing_kind`.
    #[schema(example = "website_change")]
    pub kind: String,
    /// The website that it changes.
    pub website_id: WebsiteId,
    /// Name of the website, as the filing says.
    pub website_name: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// Its label.
    #[schema(example = "初审中")]
    pub status_label: String,
    /// Heading of the filing's page.
    pub prompt_title: String,
    /// Whether it waits for the owner.
    pub waits_for_owner: bool,
    /// When the other side must have acted; null while it waits for the owner.
    pub due_at: Option<DateTime<Utc>>,
    /// Whether `due_at` may still change, because the calendar of its year is not loaded.
    pub due_is_provisional: bool,
    /// When the owner's step expires and the filing with it; null while it waits for others.
    pub step_expires_at: Option<DateTime<Utc>>,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
}

/// Something that the owner should do.
#[derive(Debug, Serialize, ToSchema)]
pub struct OverviewStep {
    /// The filing that waits.
    pub filing_id: FilingId,
    /// Its order number.
    #[schema(example = "BA-2026-000123")]
    pub order_no: String,
    /// What to do, short.
    pub title: String,
    /// What to do, in full.
    pub text: String,
    /// Address of the filing, whose `next_actions` say how.
    #[schema(example = "/v1/filings/0193a000-0000-7000-8000-000000015001")]
    pub href: String,
    /// Until when; then the filing expires.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Read the home page
///
/// Owners: their websites, live filings, and what to do next. Staff have their queues instead.
#[utoipa::path(operation_id = "getOverview", tag = "websites",
    responses((status = 200, description = "The home page.", body = Overview)))]
#[get("/v1/overview")]
pub async fn get_overview(app: web::Data<App>, caller: Allowed<op::GetOverview>) -> ApiResult<Reply> {
    let caller = caller.caller.clone();
    let (view, locale) = (caller.view(), caller.locale);
    let provider = match locale {
        Locale::ZhCn => app.config.provider.name_zh.clone(),
        Locale::En => app.config.provider.name_en.clone(),
    };
    let body = app.db.run(move |conn| Ok(overview(conn, &caller, &provider)?)).await?;
    Ok(Reply::ok(&body)?.etag(etag(content_version(&body)?, view, locale)))
}

fn overview(conn: &mut PgConnection, caller: &Caller, provider: &str) -> QueryResult<Overview> {
    let mut sites = own_websites(conn, caller)?;
    let has_more_websites = sites.len() as i64 > SHOWN;
    sites.truncate(SHOWN as usize);
    let mut live = own_live_filings(conn, caller)?;
    let has_more_live_filings = live.len() as i64 > SHOWN;
    live.truncate(SHOWN as usize);
    live.sort_by_key(|filing| !filing.status.expires());
    let mut waiting: Vec<&Filing> = live.iter().filter(|filing| filing.status.expires()).collect();
    waiting.sort_by_key(|filing| (filing.step_expires_at.is_none(), filing.step_expires_at));
    let standings = prompts::of_many(conn, &live)?;
    let prompt = |filing: &Filing| {
        let standing = standings.get(&filing.id).copied().unwrap_or_default();
        standing.prompt(filing, "applicant", provider, caller.locale)
    };
    let next_steps = waiting.into_iter().map(|filing| step(filing, prompt(filing))).collect();
    let lost = undeliverable::channels_of(conn, &[caller.user_id])?;
    let next_actions =
        lost.into_iter().map(|(_, channel)| undeliverable::next_action(caller.locale, channel)).collect();
    let unread_notifications = notifications::table
        .filter(notifications::user_id.eq(caller.user_id))
        .filter(notifications::channel.eq("inbox"))
        .filter(notifications::read_at.is_null())
        .count()
        .get_result(conn)?;
    Ok(Overview {
        websites: summaries(conn, caller, sites)?,
        has_more_websites,
        live_filings: live.into_iter().map(|filing| shown(prompt(&filing), filing, caller.locale)).collect(),
        has_more_live_filings,
        next_steps,
        next_actions,
        unread_notifications,
    })
}

fn own_websites(conn: &mut PgConnection, caller: &Caller) -> QueryResult<Vec<(WebsiteRow, WebsiteContent)>> {
    let mut list = websites::table
        .inner_join(website_contents::table)
        .inner_join(accounts::table)
        .select((WebsiteRow::as_select(), WebsiteContent::as_select()))
        .order_by((websites::created_at.desc(), websites::id.desc()))
        .limit(SHOWN + 1)
        .into_boxed();
    list = match Scope::of(caller) {
        Scope::Account(id) => list.filter(websites::account_id.eq(id)),
        Scope::Partner(id) => list.filter(accounts::partner_id.eq(id)),
        Scope::All => list,
    };
    list.load(conn)
}

fn own_live_filings(conn: &mut PgConnection, caller: &Caller) -> QueryResult<Vec<Filing>> {
    let live: Vec<Status> = Status::ALL.iter().copied().filter(|status| status.is_live()).collect();
    let mut list = filings::table
        .filter(filings::status.eq_any(live))
        .select(Filing::as_select())
        .order_by((filings::updated_at.desc(), filings::id.desc()))
        .limit(SHOWN + 1)
        .into_boxed();
    list = match Scope::of(caller) {
        Scope::Account(id) => list.filter(filings::account_id.eq(id)),
        Scope::Partner(id) => list.filter(filings::partner_id.eq(id)),
        Scope::All => list,
    };
    list.load(conn)
}

fn shown(prompt: Prompt, filing: Filing, locale: Locale) -> OverviewFiling {
    OverviewFiling {
        id: filing.id,
        order_no: filing.order_no,
        kind: filing.kind,
        website_id: filing.website_id,
        website_name: filing.website_name,
        status_label: data::status_label("filing", filing.status.as_str(), locale.as_str()).to_owned(),
        prompt_title: prompt.title,
        // The statuses that expire are exactly those in which the owner must act.
        waits_for_owner: filing.status.expires(),
        status: filing.status,
        due_at: filing.due_at,
        due_is_provisional: filing.due_is_provisional,
        step_expires_at: filing.step_expires_at,
        updated_at: filing.updated_at,
    }
}

fn step(filing: &Filing, prompt: Prompt) -> OverviewStep {
    OverviewStep {
        filing_id: filing.id,
        order_no: filing.order_no.clone(),
        title: prompt.title,
        text: prompt.text,
        href: format!("/v1/filings/{}", filing.id),
        expires_at: filing.step_expires_at,
    }
}
