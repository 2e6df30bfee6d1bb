//! What a message about a timeline event says: gathered from the event and what it points at, in one language.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::texts::{TemplateVars, due_text};
use crate::catalogue::{self, data};
use crate::kernel::clock::shanghai_date;
use crate::kernel::i18n::{Bilingual, Locale};
use crate::kernel::ids::{AccountId, EventId, FilingId};
use crate::schema::{
    backdrop_shipments, filing_events, filings, photo_verifications, rejection_items, rejections, websites,
};

/// An event as messages tell it.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub event_id: EventId,
    pub event_type: String,
    pub filing_id: FilingId,
    pub account_id: AccountId,
    order_no: String,
    website_name: String,
    /// The filing's status after the event.
    status: String,
    due_at: Option<DateTime<Utc>>,
    /// Titles of reasons, each once.
    reasons: Vec<Bilingual>,
    /// Carrier's name and tracking number.
    parcel: Option<(Bilingual, String)>,
}

/// The event's own columns.
#[derive(Queryable, Selectable)]
#[diesel(table_name = filing_events)]
struct Event {
    id: EventId,
    filing_id: FilingId,
    account_id: AccountId,
    type_: String,
    visibility: String,
    at: DateTime<Utc>,
    status: String,
    data: Value,
}

/// The filing's columns that messages need.
#[derive(Queryable, Selectable)]
#[diesel(table_name = filings)]
struct About {
    order_no: String,
    status: String,
    website_name: Option<String>,
    due_at: Option<DateTime<Utc>>,
    step_expires_at: Option<DateTime<Utc>>,
}

/// Reads the facts. None for an event that is not there or is not for applicants.
///
/// # Errors
/// When the database fails.
pub(super) fn load(conn: &mut PgConnection, id: EventId) -> QueryResult<Option<Facts>> {
    let found: Option<Event> =
        filing_events::table.find(id).select(Event::as_select()).first(conn).optional()?;
    let Some(event) = found.filter(|event| event.visibility == "applicant") else { return Ok(None) };
    let (about, icp_number) = filings::table
        .inner_join(websites::table)
        .filter(filings::id.eq(event.filing_id))
        .select((About::as_select(), websites::icp_number))
        .first::<(About, String)>(conn)?;
    let codes = match event.type_.as_str() {
        "photo.precheck_failed" => findings(conn, &event)?,
        name if name.ends_with(".rejected") => rejected_for(conn, &event)?,
        _ => Vec::new(),
    };
    Ok(Some(Facts {
        due_at: due_at(&event, &about),
        parcel: parcel(conn, &event)?,
        reasons: titles(conn, &event, codes)?,
        order_no: about.order_no,
        // A draft's name may be empty; the ICP number names the website as well.
        website_name: about.website_name.filter(|name| !name.trim().is_empty()).unwrap_or(icp_number),
        status: event.status,
        event_id: event.id,
        event_type: event.type_,
        filing_id: event.filing_id,
        account_id: event.account_id,
    }))
}

/// The deadline that the event tells, else the filing's own if it has not moved on meanwhile.
fn due_at(event: &Event, about: &About) -> Option<DateTime<Utc>> {
    if let Some(told) = event.data["due_at"].as_str() {
        return told.parse().ok();
    }
    let is_current = about.status == event.status;
    let is_about_a_step = event.type_ == "step.reminder" || event.type_.starts_with("sms.");
    let due = if is_about_a_step { about.step_expires_at.or(about.due_at) } else { about.due_at };
    due.filter(|_| is_current)
}

/// An id in the event's data.
fn named(event: &Event, name: &str) -> Option<Uuid> {
    event.data[name].as_str().and_then(|text| text.parse().ok())
}

/// What reasons are called on the day of the event; a code that is not known speaks for itself.
fn titles(conn: &mut PgConnection, event: &Event, mut codes: Vec<String>) -> QueryResult<Vec<Bilingual>> {
    // The same reason on two fields is said once, in the first one's place.
    let mut seen = HashSet::new();
    codes.retain(|code| seen.insert(code.clone()));
    let on = shanghai_date(event.at);
    let title = |code: String| {
        let known = catalogue::rejection_reason(conn, &code, on)?.map(|reason| reason.title);
        Ok(known.map_or_else(|| Bilingual::new(&code, &code), |title| Bilingual::new(title.zh, title.en)))
    };
    codes.into_iter().map(title).collect()
}

/// Codes of the items of the rejection that the event names, else of the latest one up to it.
fn rejected_for(conn: &mut PgConnection, event: &Event) -> QueryResult<Vec<String>> {
    let mut rejection = rejections::table
        .filter(rejections::filing_id.eq(event.filing_id))
        .filter(rejections::created_at.le(event.at))
        .order(rejections::round.desc())
        .select(rejections::id)
        .into_boxed();
    if let Some(id) = named(event, "rejection_id") {
        rejection = rejection.filter(rejections::id.eq(id));
    }
    let Some(id) = rejection.first::<Uuid>(conn).optional()? else { return Ok(Vec::new()) };
    rejection_items::table
        .filter(rejection_items::rejection_id.eq(id))
        .order(rejection_items::position)
        .select(rejection_items::code)
        .load(conn)
}

/// Codes of the findings that stopped the photo. Warnings are for the reviewer.
fn findings(conn: &mut PgConnection, event: &Event) -> QueryResult<Vec<String>> {
    let mut attempt = photo_verifications::table
        .filter(photo_verifications::filing_id.eq(event.filing_id))
        .order(photo_verifications::attempt_no.desc())
        .select(photo_verifications::findings)
        .into_boxed();
    if let Some(id) = named(event, "photo_verification_id") {
        attempt = attempt.filter(photo_verifications::id.eq(id));
    }
    let list = attempt.first::<Value>(conn).optional()?.unwrap_or_default();
    let blocking = list.as_array().into_iter().flatten().filter(|finding| finding["severity"] != "warning");
    Ok(blocking.filter_map(|finding| finding["code"].as_str().map(str::to_owned)).collect())
}

/// Carrier and number of the shipment that the event names.
fn parcel(conn: &mut PgConnection, event: &Event) -> QueryResult<Option<(Bilingual, String)>> {
    let Some(id) = named(event, "shipment_id") else { return Ok(None) };
    let row = backdrop_shipments::table
        .filter(backdrop_shipments::id.eq(id))
        .filter(backdrop_shipments::filing_id.eq(event.filing_id))
        .select((backdrop_shipments::carrier_code, backdrop_shipments::tracking_number))
        .first::<(Option<String>, Option<String>)>(conn)
        .optional()?;
    let Some((code, number)) = row.and_then(|(code, number)| code.zip(number)) else { return Ok(None) };
    let carrier = catalogue::carrier(conn, &code, shanghai_date(event.at))?;
    let name =
        carrier.map_or_else(|| Bilingual::new(&code, &code), |known| Bilingual::new(known.zh, known.en));
    Ok(Some((name, number)))
}

impl Facts {
    /// The variables of the templates for one recipient.
    pub(super) fn vars(&self, locale: Locale, recipient: &str, provider: &str, link: String) -> TemplateVars {
        let language = locale.as_str();
        TemplateVars {
            order_no: self.order_no.clone(),
            website_name: self.website_name.clone(),
            recipient_display_name: recipient.to_owned(),
            status_label: data::status_label("filing", &self.status, language).to_owned(),
            provider_name: provider.to_owned(),
            link,
            due_at: self.due_at.map(|at| due_text(at, language)),
            reason_titles: self.reasons.iter().map(|title| title.pick(locale).to_owned()).collect(),
            carrier: self.parcel.as_ref().map(|(name, _)| name.pick(locale).to_owned()),
            tracking_number: self.parcel.as_ref().map(|(_, number)| number.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_follow_the_readers_language() {
        let facts = Facts {
            event_id: EventId::new(),
            event_type: "initial_review.rejected".to_owned(),
            filing_id: FilingId::new(),
            account_id: AccountId::new(),
            order_no: "BA-2026-000123".to_owned(),
            website_name: "山间书屋".to_owned(),
            status: "initial_rejected".to_owned(),
            due_at: None,
            reasons: vec![Bilingual::new("名称", "Name")],
            parcel: Some((Bilingual::new("顺丰速运", "SF Express"), "SF1".to_owned())),
        };
        let zh = facts.vars(Locale::ZhCn, "张三", "示例云", "https://a".to_owned());
        let en = facts.vars(Locale::En, "Zhang San", "Example Cloud", "https://a".to_owned());
        assert_eq!((zh.reason_titles, en.reason_titles), (vec!["名称".to_owned()], vec!["Name".to_owned()]));
        assert_eq!(zh.status_label, "初审驳回");
        assert_eq!(zh.carrier.as_deref(), Some("顺丰速运"));
        assert_eq!(en.carrier.as_deref(), Some("SF Express"));
        assert_eq!(en.tracking_number.as_deref(), Some("SF1"));
    }
}
