//! What a filing's page says at its head: which of the prompts of a status fits the filing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::Filing;
use super::workflow::Status;
use crate::backdrop_shipments::ShipmentState;
use crate::bureau_submissions;
use crate::catalogue::data;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::FilingId;
use crate::photo_verifications::PhotoState;
use crate::schema::{backdrop_shipments as shipments, filing_events, photo_verifications as photos};

/// Heading and text for the page of a status.
#[derive(Debug, Serialize, ToSchema)]
pub struct Prompt {
    /// Heading.
    #[schema(example = "请填写变更信息")]
    pub title: String,
    /// What to do or to expect.
    pub text: String,
}

/// What the choice depends on beside the filing itself; the last of each that was not cancelled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// State of the photo, and when it was checked.
    pub photo: Option<(PhotoState, Option<DateTime<Utc>>)>,
    /// State of the backdrop's shipment.
    pub shipment: Option<ShipmentState>,
    /// The bureau takes nothing at present.
    pub bureau_is_paused: bool,
    /// The hand-over that it waits for is not the first of its revision.
    pub is_sent_again: bool,
    /// Why the SMS verification failed, if it is known.
    pub sms: Option<&'static str>,
    /// It is a draft that had expired.
    pub is_reopened: bool,
}

impl Standing {
    /// Which of the prompts of the status fits.
    fn situation(&self, filing: &Filing) -> &'static str {
        let is_photo_step = matches!(filing.status, Status::PhotoRequired | Status::PhotoRejected);
        match (filing.status, self.photo) {
            (_, Some((PhotoState::Checking, _))) if is_photo_step => return "checking",
            // One that failed before the filing was withdrawn is history.
            (_, Some((PhotoState::PrecheckFailed, at)))
                if is_photo_step && at.is_some_and(|at| at >= filing.status_changed_at) =>
            {
                return "precheck_failed";
            }
            _ => {}
        }
        match (filing.status, self.shipment) {
            (Status::PhotoRequired, Some(ShipmentState::Requested | ShipmentState::Packed)) => {
                "backdrop_requested"
            }
            (Status::PhotoRequired, Some(ShipmentState::Shipped)) => "backdrop_shipped",
            (Status::PhotoRequired, Some(ShipmentState::Delivered)) => "backdrop_delivered",
            (Status::PhotoRequired, Some(ShipmentState::Returned | ShipmentState::Lost)) => {
                "backdrop_returned"
            }
            (Status::BureauQueued, _) if self.bureau_is_paused => "bureau_paused",
            (Status::BureauQueued, _) if self.is_sent_again => "resent",
            (Status::SmsFailed, _) => self.sms.unwrap_or("default"),
            (Status::Draft, _) if self.is_reopened => "reopened",
            (Status::Draft, _) if filing.revision_no > 0 => "withdrawn",
            _ => "default",
        }
    }

    /// What to tell. `audience` is `applicant` or `staff`, `provider` the name of the house.
    pub fn prompt(&self, filing: &Filing, audience: &str, provider: &str, locale: Locale) -> Prompt {
        text(filing.status, self.situation(filing), audience, provider, locale)
    }
}

fn text(status: Status, situation: &str, audience: &str, provider: &str, locale: Locale) -> Prompt {
    let text = |text: &data::Text| data::with_provider(text.get(locale.as_str()), provider);
    match data::prompt(status.as_str(), situation, audience) {
        Some(prompt) => Prompt { title: text(&prompt.title), text: text(&prompt.text) },
        None => Prompt { title: String::new(), text: String::new() },
    }
}

/// Whether a draft is one that had expired. A draft that has been one from the start needs no look.
///
/// # Errors
/// When the database fails.
pub fn is_reopened(conn: &mut PgConnection, filing: &Filing) -> QueryResult<bool> {
    Ok(!reopened(conn, std::slice::from_ref(filing))?.is_empty())
}

/// Which of these are drafts that had expired.
fn reopened(conn: &mut PgConnection, filings: &[Filing]) -> QueryResult<Vec<FilingId>> {
    let ids = those(filings, |filing| {
        filing.status == Status::Draft && filing.status_changed_at > filing.created_at
    });
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let last: Vec<(FilingId, String)> = filing_events::table
        .filter(filing_events::filing_id.eq_any(ids))
        .filter(filing_events::type_.eq_any(["filing.reopened", "filing.withdrawn"]))
        .distinct_on(filing_events::filing_id)
        .order((filing_events::filing_id, filing_events::at.desc(), filing_events::id.desc()))
        .select((filing_events::filing_id, filing_events::type_))
        .load(conn)?;
    Ok(last.into_iter().filter(|(_, kind)| kind == "filing.reopened").map(|(id, _)| id).collect())
}

fn those(filings: &[Filing], is_meant: impl Fn(&Filing) -> bool) -> Vec<FilingId> {
    filings.iter().filter(|filing| is_meant(filing)).map(|filing| filing.id).collect()
}

/// What the choice depends on, for many filings at once; a statement for each kind of thing that some of them need. Why the SMS
/// verification failed is left out: only a filing's own page tells it.
///
/// # Errors
/// When the database fails.
pub fn of_many(conn: &mut PgConnection, filings: &[Filing]) -> QueryResult<HashMap<FilingId, Standing>> {
    let mut found: HashMap<FilingId, Standing> = HashMap::new();
    let with_photo =
        those(filings, |filing| matches!(filing.status, Status::PhotoRequired | Status::PhotoRejected));
    if !with_photo.is_empty() {
        let last: Vec<(FilingId, PhotoState, Option<DateTime<Utc>>)> = photos::table
            .filter(photos::filing_id.eq_any(&with_photo))
            .filter(photos::state.ne_all([PhotoState::Cancelled, PhotoState::Void]))
            .distinct_on(photos::filing_id)
            .order((photos::filing_id, photos::attempt_no.desc()))
            .select((photos::filing_id, photos::state, photos::checked_at))
            .load(conn)?;
        for (id, state, checked_at) in last {
            found.entry(id).or_default().photo = Some((state, checked_at));
        }
        let last: Vec<(FilingId, ShipmentState)> = shipments::table
            .filter(shipments::filing_id.eq_any(&with_photo))
            .distinct_on(shipments::filing_id)
            .order((shipments::filing_id, shipments::requested_at.desc(), shipments::id.desc()))
            .select((shipments::filing_id, shipments::state))
            .load(conn)?;
        for (id, state) in last {
            found.entry(id).or_default().shipment = Some(state);
        }
    }
    let queued = those(filings, |filing| filing.status == Status::BureauQueued);
    if !queued.is_empty() {
        for waiting in bureau_submissions::waiting_of(conn, &queued)? {
            let standing = found.entry(waiting.filing_id).or_default();
            standing.bureau_is_paused = waiting.bureau_is_paused;
            standing.is_sent_again = waiting.is_again;
        }
    }
    for id in reopened(conn, filings)? {
        found.entry(id).or_default().is_reopened = true;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_live_status_has_a_heading_for_the_applicant_in_both_languages() {
        for status in Status::ALL.iter().copied().filter(|status| status.is_live()) {
            for locale in [Locale::ZhCn, Locale::En] {
                let prompt = text(status, "default", "applicant", "示例云", locale);
                assert!(!prompt.title.is_empty() && !prompt.text.is_empty(), "{status} in {locale}");
                assert!(!prompt.text.contains("{provider}"), "{status} in {locale}");
            }
        }
    }
}
