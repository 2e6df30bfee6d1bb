//! What stands around a filing, read in one statement: the facts that decisions depend on, and which children there are, so
//! that a page reads only those that exist.

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Date, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::Value;

use super::model::{AcceptedRevision, Filing, Revision};
use super::workflow::Facts;
use crate::backdrop_shipments;
use crate::bureau_submissions::{self, SubmissionState};
use crate::catalogue;
use crate::kernel::clock::shanghai_date;
use crate::kernel::fixed_query::{FixedDsl, WrittenText};
use crate::kernel::ids::{ContentId, FilingId, SubjectId, UserId};
use crate::photo_verifications::{self, PhotoState};
use crate::schema::{
    backdrop_shipments as shipments, bureau_submissions as submissions, catalogue_rows, filing_revisions,
    filings, photo_verifications as photos, rejections, terms, website_contents, websites,
};
use crate::users::undeliverable;
use crate::websites::content::WebsiteContent;

/// The surroundings of a filing.
#[derive(Debug)]
pub struct Around {
    /// What decisions depend on.
    pub facts: Facts,
    /// It was rejected, in whatever round.
    pub has_rejection: bool,
    /// There is an attempt at the photo, cancelled ones included.
    pub has_photo: bool,
    /// There is a backdrop shipment, ended ones included.
    pub has_shipment: bool,
    /// There is a hand-over to the bureau, cancelled ones included.
    pub has_submission: bool,
}

/// Columns of [`columns`]: live photo, live submission, valid photo, the province's rule, filed version, open shipment, content
/// of the last revision, then the four `has_…`.
type Columns = (
    Option<PhotoState>,
    Option<SubmissionState>,
    bool,
    Option<Value>,
    Option<i32>,
    bool,
    Option<ContentId>,
    bool,
    bool,
    bool,
    bool,
);

/// What [`Columns`] holds, for a statement over `filings` and, beside each, its last revision if it has one.
macro_rules! columns {
    ($now:expr) => {{
        let photos_of = photos::table.filter(photos::filing_id.eq(filings::id));
        let submissions_of = submissions::table.filter(submissions::filing_id.eq(filings::id));
        let shipments_of = shipments::table.filter(shipments::filing_id.eq(filings::id));
        let valid_photo = photos_of
            .filter(photos::state.eq(PhotoState::Passed))
            .filter(photos::decided_at.gt($now - photo_verifications::validity()))
            .filter(photos::person_hash.nullable().eq(filing_revisions::person_hash.nullable()));
        (
            photos_of
                .filter(photos::state.eq_any(photo_verifications::LIVE))
                .select(photos::state)
                .single_value(),
            submissions_of
                .filter(submissions::state.eq_any(bureau_submissions::LIVE))
                .select(submissions::state)
                .single_value(),
            exists(valid_photo),
            catalogue::model::province_rule_data(shanghai_date($now))
                .filter(catalogue_rows::key.eq(filings::province_code))
                .single_value(),
            websites::table
                .filter(websites::id.eq(filings::website_id))
                .select(websites::filed_version)
                .single_value(),
            exists(shipments_of.filter(shipments::state.eq_any(backdrop_shipments::OPEN))),
            filing_revisions::content_id.nullable(),
            exists(rejections::table.filter(rejections::filing_id.eq(filings::id))),
            exists(photos_of),
            exists(shipments_of),
            exists(submissions_of),
        )
    }};
}

/// Beside each filing its last revision: `filings` and what this joins is what [`columns`] reads from.
#[diesel::dsl::auto_type]
fn with_last_revision() -> _ {
    filings::table.left_join(
        filing_revisions::table.on(filing_revisions::filing_id
            .eq(filings::id)
            .and(filing_revisions::revision_no.eq(filings::revision_no))),
    )
}

/// Reads what stands around a filing. Before a decision the caller has locked the filing; without a lock the answer is only
/// for showing.
///
/// # Errors
/// When the database fails.
pub fn read(conn: &mut PgConnection, filing: &Filing, now: DateTime<Utc>) -> QueryResult<Around> {
    struct ReadAround;
    let columns: Columns = with_last_revision()
        .filter(filings::id.eq(filing.id))
        .select(columns!(now))
        .fixed::<ReadAround>()
        .get_result(conn)?;
    understand(conn, filing, columns)
}

/// All that the page of a filing begins with.
#[derive(Debug)]
pub struct Sheet {
    /// The filing.
    pub filing: Filing,
    /// What stands around it.
    pub around: Around,
    /// What was submitted last.
    pub last: Option<AcceptedRevision>,
    /// What is being edited, or was submitted last if nothing was changed since.
    pub content: WebsiteContent,
    /// News cannot reach the user who looks, by one channel at least.
    pub viewer_is_unreachable: bool,
}

/// Reads a filing with its surroundings, its last revision and its content, in one statement: only for showing.
///
/// # Errors
/// `NotFound`, or when the database fails.
pub fn read_sheet(
    conn: &mut PgConnection,
    id: FilingId,
    viewer: UserId,
    now: DateTime<Utc>,
) -> QueryResult<Sheet> {
    static TEXT: WrittenText = WrittenText::new();
    struct ReadSheet;
    let tree = || {
        with_last_revision()
            .inner_join(website_contents::table.on(website_contents::id.eq(filings::content_id)))
            .filter(filings::id.eq(id))
            .select((
                Filing::as_select(),
                columns!(now),
                Option::<Revision>::as_select(),
                terms::table
                    .filter(terms::id.nullable().eq(filing_revisions::terms_id.nullable()))
                    .select(terms::version)
                    .single_value(),
                terms::table
                    .filter(terms::id.nullable().eq(filing_revisions::consent_id.nullable()))
                    .select(terms::version)
                    .single_value(),
                WebsiteContent::as_select(),
                exists(undeliverable::open_of(viewer)),
            ))
    };
    let (filing, columns, revision, terms, consent, content, viewer_is_unreachable): (
        Filing,
        Columns,
        Option<Revision>,
        Option<String>,
        Option<String>,
        WebsiteContent,
        bool,
    ) = TEXT
        .query::<ReadSheet, _>(tree)
        .bind::<Array<Text>, _>(photo_verifications::LIVE.to_vec())
        .bind::<BigInt, _>(1_i64)
        .bind::<Array<Text>, _>(bureau_submissions::LIVE.to_vec())
        .bind::<BigInt, _>(1_i64)
        .bind::<Text, _>(PhotoState::Passed)
        .bind::<Timestamptz, _>(now - photo_verifications::validity())
        .bind::<Text, _>(catalogue::model::Catalogue::ProvinceRules)
        .bind::<Date, _>(shanghai_date(now))
        // The province's rule, the filed version.
        .bind::<BigInt, _>(1_i64)
        .bind::<BigInt, _>(1_i64)
        .bind::<Array<Text>, _>(backdrop_shipments::OPEN.to_vec())
        // The versions of the two texts that were agreed to.
        .bind::<BigInt, _>(1_i64)
        .bind::<BigInt, _>(1_i64)
        .bind::<SqlUuid, _>(viewer)
        .bind::<SqlUuid, _>(id)
        .get_result(conn)?;
    let around = understand(conn, &filing, columns)?;
    Ok(Sheet {
        filing,
        around,
        last: revision.map(|revision| (revision, terms, consent)),
        content,
        viewer_is_unreachable,
    })
}

fn understand(conn: &mut PgConnection, filing: &Filing, columns: Columns) -> QueryResult<Around> {
    let (
        photo,
        submission,
        has_valid_photo,
        province,
        filed_version,
        has_open_shipment,
        revision_content,
        has_rejection,
        has_photo,
        has_shipment,
        has_submission,
    ) = columns;
    let asks_for_sms =
        catalogue::model::read_province_rule(&filing.province_code, province)?.sms_verification;
    Ok(Around {
        facts: Facts {
            has_valid_photo,
            asks_for_sms,
            base_is_current: filed_version == Some(filing.base_version),
            has_other_live_filing: !filing.status.is_live() && has_other_live(conn, filing)?,
            submission_is_queued: submission == Some(SubmissionState::Queued),
            submission_is_unconfirmed: submission == Some(SubmissionState::Unconfirmed),
            is_changed_since_revision: revision_content.is_none_or(|content| content != filing.content_id),
            photo_is_checking: photo == Some(PhotoState::Checking),
            has_live_photo: photo.is_some_and(|state| state != PhotoState::AwaitingUpload),
            has_open_shipment,
        },
        has_rejection,
        has_photo,
        has_shipment,
        has_submission,
    })
}

/// Whether the subject of an ended filing has a live one.
fn has_other_live(conn: &mut PgConnection, filing: &Filing) -> QueryResult<bool> {
    Ok(live_filing_of(conn, filing.subject_id)?.is_some_and(|live| live != filing.id))
}

/// The live filing of a subject. A statement of its own, since literal SQL keeps a statement from being prepared once for all.
///
/// # Errors
/// When the database fails.
pub fn live_filing_of(conn: &mut PgConnection, subject: SubjectId) -> QueryResult<Option<FilingId>> {
    filings::table
        .filter(filings::subject_id.eq(subject))
        // As literals: only then can the planner see that filings_live_subject_key holds exactly these rows.
        .filter(diesel::dsl::sql::<Bool>("filings.status NOT IN ('approved', 'abandoned', 'expired')"))
        .select(filings::id)
        .first(conn)
        .optional()
}
