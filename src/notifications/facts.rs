//! What a message about a timeline event says: gathered from the event and what it points at, in one language.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::texts::{TemplateVars, due_text};
use crate::catalogue::data;
use crate::kernel::i18n::Locale;
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
    reason_codes: Vec<String>,
    /// Carrier's code and tracking number.
    parcel: Option<(String, String)>,
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
    let found: Option<Event> = filing_events::table.find(id).select(Event::as_select()).first(conn).optional()?;
    let Some(event) = found.filter(|event| event.visibility == "applicant") else { return Ok(None) };
    let (about, icp_number) = filings::table
        .inner_join(websites::table)
        .filter(filings::id.eq(event.filing_id))
        .select((About::as_select(), websites::icp_number))
        .first::<(About, String)>(conn)?;
    let reason_codes = match event.type_.as_str() {
        "photo.precheck_failed" => findings(conn, &event)?,
        name if name.ends_with(".rejected") => rejected_for(conn, &event)?,
        _ => Vec::new(),
    };
    Ok(Some(Facts {
        due_at: due_at(&event, &about),
        parcel: parcel(conn, &event)?,
        reason_codes,
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
fn parcel(conn: &mut PgConnection, event: &Event) -> QueryResult<Option<(String, String)>> {
    let Some(id) = named(event, "shipment_id") else { return Ok(None) };
    let row = backdrop_shipments::table
        .filter(backdrop_shipments::id.eq(id))
        .filter(backdrop_shipments::filing_id.eq(event.filing_id))
        .select((backdrop_shipments::carrier_code, backdrop_shipments::tracking_number))
        .first::<(Option<String>, Option<String>)>(conn)
        .optional()?;
    Ok(row.and_then(|(carrier, number)| carrier.zip(number)))
}

impl Facts {
    /// The variables of the templates for one recipient.
    pub(super) fn vars(&self, locale: Locale, recipient: &str, provider: &str, link: String) -> TemplateVars {
        let language = locale.as_str();
        let mut reason_titles: Vec<String> = Vec::new();
        for code in &self.reason_codes {
            let title = data::rejection_reason(code).map_or(code.as_str(), |reason| locale.pick(&reason.title.zh, &reason.title.en));
            // The same reason on two fields is said once.
            if !reason_titles.iter().any(|known| known == title) {
                reason_titles.push(title.to_owned());
            }
        }
        let carrier = self.parcel.as_ref().map(|(code, _)| {
            let known = data::carriers().iter().find(|carrier| carrier.code == *code);
            known.map_or(code.as_str(), |carrier| locale.pick(&carrier.zh, &carrier.en)).to_owned()
        });
        TemplateVars {
            order_no: self.order_no.clone(),
            website_name: self.website_name.clone(),
            recipient_display_name: recipient.to_owned(),
            status_label: data::status_label("filing", &self.status, language).to_owned(),
            provider_name: provider.to_owned(),
            link,
            due_at: self.due_at.map(|at| due_text(at, language)),
            reason_titles,
            carrier,
            tracking_number: self.parcel.as_ref().map(|(_, number)| number.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_titles_in_the_readers_language_and_said_once() {
        let facts = Facts {
            event_id: EventId::new(),
            event_type: "initial_review.rejected".to_owned(),
            filing_id: FilingId::new(),
            account_id: AccountId::new(),
            order_no: "BA-2026-000123".to_owned(),
            website_name: "山间书屋".to_owned(),
            status: "initial_rejected".to_owned(),
            due_at: None,
            reason_codes: ["SITE_NAME_INVALID", "CERT_UNCLEAR", "SITE_NAME_INVALID"].map(str::to_owned).to_vec(),
            parcel: Some(("shunfeng".to_owned(), "SF1".to_owned())),
        };
        let zh = facts.vars(Locale::ZhCn, "张三", "示例云", "https://a".to_owned());
        let en = facts.vars(Locale::En, "Zhang San", "Example Cloud", "https://a".to_owned());
        assert_eq!((zh.reason_titles.len(), en.reason_titles.len()), (2, 2));
        assert!(en.reason_titles.iter().all(|title| title.is_ascii()), "{:?}", en.reason_titles);
        assert_eq!(zh.status_label, "初审驳回");
        assert_ne!(zh.carrier, en.carrier);
        assert_eq!(en.tracking_number.as_deref(), Some("SF1"));
    }
}
