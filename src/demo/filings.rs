//! One filing for each state that a page of the seed shows, made by the same code as all others, with backdated steps.
//! The n-th account has the n-th filing; tasks, photos, shipments and submissions carry the same number.

use anyhow::Context;
use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::files::Files;
use super::{ids, people};
use crate::attachments::AttachmentState;
use crate::audit::Actor;
use crate::auth::{Caller, Role};
use crate::backdrop_shipments::ShipmentState;
use crate::bureau_submissions::SubmissionState;
use crate::catalogue::{self, TermsKind};
use crate::error::ApiError;
use crate::filing_batches::{self, NewBatch, NewRow};
use crate::filings::rejections::{NewItem, RejectionSource, TargetKind};
use crate::filings::{self, Acceptance, Action, Ctx, Filing, Input, Side};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{AccountId, FilingId, PhotoVerificationId, SessionId, UserId, WebsiteId, prepare};
use crate::kernel::pii::{Address, PersonName, Phone, Sensitive};
use crate::photo_verifications::PhotoState;
use crate::reviews::ReviewState;
use crate::schema::{
    attachments, backdrop_shipments, bureau_submissions, filings as rows, jobs, photo_verifications,
    review_task_holders, review_tasks, sms_verifications,
};
use crate::websites;

const REVIEWER: u128 = 3;
const OPERATOR: u128 = 7;

/// A story of one account's filing.
struct Story<'a> {
    conn: &'a mut PgConnection,
    files: &'a Files,
    number: u128,
    /// Moves on with each step.
    now: DateTime<Utc>,
}

fn plain(error: ApiError) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

pub(super) fn load(conn: &mut PgConnection, now: DateTime<Utc>, files: &Files) -> anyhow::Result<()> {
    // Far away from the order numbers that the demo gives by hand.
    diesel::sql_query("SELECT setval('filing_order_no_seq', 900000)").execute(conn)?;
    for number in (1..=super::filed::SITES.len() as u128).filter(|number| *number != 2) {
        let story = Story { conn, files, number, now: now - Duration::hours(3) };
        story.tell().with_context(|| format!("the demo filing {number}"))?;
    }
    unmatched_result(conn, now)?;
    batch(conn, now)?;
    // New filings are counted from 101, so that they cannot be taken for the demo's.
    diesel::sql_query("SELECT setval('filing_order_no_seq', 100)").execute(conn)?;
    // Nobody is told of what happened before the program started, and the simulated bureau leaves the demo as it stands.
    diesel::delete(jobs::table.filter(jobs::kind.eq_any([
        "notifications.fan_out",
        "webhooks.fan_out",
        "bureau.dispatch",
        "photo.check",
    ])))
    .execute(conn)?;
    Ok(())
}

/// A batch of the first customer with two rows, both refused: the subject of one has a live filing, the other website does not
/// exist. (A batch that makes a filing would take the customer's only subject.)
fn batch(conn: &mut PgConnection, now: DateTime<Utc>) -> anyhow::Result<()> {
    let row = |website: u128| {
        let (website, reference) = (WebsiteId(ids::website(website)), format!("ORDER-2026-{website:04}"));
        let request =
            json!({ "kind": "website_change", "website_id": website, "external_reference": reference });
        NewRow {
            website_id: Some(website),
            external_reference: Some(reference),
            work: Ok(Sensitive::new(request.to_string())),
        }
    };
    let caller = person(1, Side::Owner);
    prepare("FilingBatchId", ids::filing_batch(1));
    let new = NewBatch { caller: &caller, rows: vec![row(1), row(999)] };
    let batch = filing_batches::insert(conn, now, new)?;
    filing_batches::make_all(conn, now, &batch).map_err(plain)
}

/// As if the ministry's interface had sent a result of somebody else's order.
fn unmatched_result(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<()> {
    use crate::schema::{bureau_lanes as lanes, bureau_unmatched_results as results};
    let lane = "miit:demo";
    diesel::insert_into(lanes::table).values(lanes::code.eq(lane)).on_conflict_do_nothing().execute(conn)?;
    diesel::insert_into(results::table)
        .values((
            results::id.eq(ids::bureau_result(1)),
            results::lane.eq(lane),
            results::file_name.eq("RESULT20260311001"),
            results::external_reference.eq("GJ-2026-900001"),
            results::order_no.eq("BA-2026-990001"),
            results::icp_number.eq("京ICP备20269999号-1"),
            results::result_code.eq("1001"),
            results::reason.eq("unknown_order"),
            results::received_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Who acts on a side of the n-th filing.
fn person(number: u128, side: Side) -> Caller {
    let (user, role) = match side {
        Side::Reviewer => (ids::user(REVIEWER), Role::Reviewer),
        Side::Operator | Side::System => (ids::user(OPERATOR), Role::BureauOperator),
        Side::Owner => (people::applicant(number), Role::Applicant),
    };
    Caller {
        user_id: UserId(user),
        session_id: SessionId(ids::session(1)),
        account_id: (side == Side::Owner).then(|| AccountId(ids::account(number))),
        partner_id: None,
        scopes: None,
        roles: vec![role],
        locale: Locale::ZhCn,
        address: None,
        request_id: "demo".to_owned(),
    }
}

impl Story<'_> {
    fn tell(mut self) -> anyhow::Result<()> {
        if self.number == 8 {
            // Long ago.
            self.now -= Duration::days(60);
        }
        let filing = self.draft()?;
        match self.number {
            1 => self.materials(&filing)?,
            3..=5 => drop(self.submit(filing)?),
            6 => {
                let filing = self.sms(filing)?;
                self.submission(SubmissionState::Rejected)?;
                self.act(filing, Side::System, Action::FailSms, Input::default())?;
            }
            7 => drop(self.rejected(filing)?),
            8 => drop(self.act(filing, Side::System, Action::Expire, Input::default())?),
            9..=12 => {
                self.submit(filing)?;
                self.claim()?;
            }
            13 => drop(self.photo_required(filing)?),
            14 => {
                let filing = self.photo_required(filing)?;
                self.photo(&filing, PhotoState::AwaitingUpload)?;
            }
            15..=17 => self.shipment(filing, ShipmentState::Requested)?,
            18 => self.shipment(filing, ShipmentState::Packed)?,
            19..=21 => self.shipment(filing, ShipmentState::Shipped)?,
            22 => drop(self.photo_review(filing)?),
            23 | 24 | 30 => drop(self.queued(filing)?),
            25 => drop(self.sms(filing)?),
            26 => drop(self.at_bureau(filing)?),
            27 => drop(self.photo_rejected(filing)?),
            28 => {
                let filing = self.at_bureau(filing)?;
                self.submission(SubmissionState::Rejected)?;
                let item = item("/website/name", "SITE_NAME_INVALID", "网站名称不符合要求（代码 1020）");
                self.reject(
                    filing,
                    Side::Operator,
                    Action::RejectAtBureau,
                    RejectionSource::Bureau,
                    &[item],
                )?;
            }
            29 => {
                let filing = self.at_bureau(filing)?;
                self.submission(SubmissionState::Approved)?;
                self.act(filing, Side::Operator, Action::ApproveAtBureau, Input::default())?;
            }
            31 => {
                self.queued(filing)?;
                self.submission(SubmissionState::Failed)?;
            }
            _ => drop(self.act(filing, Side::Owner, Action::Abandon, Input::default())?),
        }
        Ok(())
    }

    fn person(&self, side: Side) -> Caller {
        person(self.number, side)
    }

    fn act(
        &mut self,
        filing: Filing,
        side: Side,
        action: Action,
        input: Input<'_>,
    ) -> anyhow::Result<Filing> {
        self.now += Duration::minutes(2);
        let actor = if side == Side::System { Actor::system() } else { Actor::from(&self.person(side)) };
        let locked = filings::lock(self.conn, filing.id).map_err(plain)?;
        filings::act(self.conn, &Ctx::new(self.now, actor, side), locked, action, input).map_err(plain)
    }

    /// A draft with another name and remark.
    fn draft(&mut self) -> anyhow::Result<Filing> {
        prepare("FilingId", ids::filing(self.number));
        let owner = self.person(Side::Owner);
        let website = WebsiteId(ids::website(self.number));
        let filing = filings::start_website_change(self.conn, &owner, website, self.now).map_err(plain)?;
        let mut content = websites::model::load(self.conn, filing.content_id.0)?;
        content.name = content.name.map(|name| format!("{name}之家"));
        content.remark = Some("更名".to_owned());
        websites::model::replace(self.conn, filing.content_id.0, &content)?;
        Ok(diesel::update(rows::table.find(filing.id))
            .set((
                rows::website_name.eq(content.name),
                rows::order_no.eq(format!("BA-2026-{:06}", self.number)),
                rows::version.eq(2),
            ))
            .returning(Filing::as_returning())
            .get_result(self.conn)?)
    }

    fn submit(&mut self, filing: Filing) -> anyhow::Result<Filing> {
        prepare("ReviewId", ids::review(self.number));
        prepare("RevisionId", ids::revision(self.number));
        let terms =
            catalogue::current_terms(self.conn, TermsKind::ServiceTerms, self.now + Duration::days(365))?;
        let consent = catalogue::current_terms(
            self.conn,
            TermsKind::PersonalInformationConsent,
            self.now + Duration::days(365),
        )?;
        let acceptance = Acceptance {
            terms_id: terms.id,
            consent_id: consent.id,
            accepted_by_name: None,
            client: "app".to_owned(),
        };
        let input = Input { acceptance: Some(&acceptance), ..Input::default() };
        self.act(filing, Side::Owner, Action::Submit, input)
    }

    /// The reviewer takes the open task.
    fn claim(&mut self) -> anyhow::Result<()> {
        let open = review_tasks::table
            .filter(review_tasks::filing_id.eq(ids::filing(self.number)))
            .filter(review_tasks::state.eq(ReviewState::Open));
        let task: uuid::Uuid = open.select(review_tasks::id).first(self.conn)?;
        diesel::update(review_tasks::table.find(task))
            .set((
                review_tasks::state.eq(ReviewState::Claimed),
                review_tasks::claimed_by.eq(ids::user(REVIEWER)),
                review_tasks::claimed_at.eq(self.now),
                review_tasks::lease_expires_at.eq(self.now + Duration::minutes(30)),
            ))
            .execute(self.conn)?;
        diesel::insert_into(review_task_holders::table)
            .values((
                review_task_holders::task_id.eq(task),
                review_task_holders::user_id.eq(ids::user(REVIEWER)),
                review_task_holders::filing_id.eq(ids::filing(self.number)),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    fn close(&mut self, state: ReviewState) -> anyhow::Result<()> {
        diesel::update(
            review_tasks::table
                .filter(review_tasks::filing_id.eq(ids::filing(self.number)))
                .filter(review_tasks::state.eq(ReviewState::Claimed)),
        )
        .set((
            review_tasks::state.eq(state),
            review_tasks::decided_by.eq(ids::user(REVIEWER)),
            review_tasks::decided_at.eq(self.now),
        ))
        .execute(self.conn)?;
        Ok(())
    }

    fn reject(
        &mut self,
        filing: Filing,
        side: Side,
        action: Action,
        source: RejectionSource,
        items: &[NewItem],
    ) -> anyhow::Result<Filing> {
        prepare("RejectionId", ids::rejection(self.number));
        self.act(filing, side, action, Input { rejection: Some((source, None, items)), ..Input::default() })
    }

    fn rejected(&mut self, filing: Filing) -> anyhow::Result<Filing> {
        let filing = self.submit(filing)?;
        self.claim()?;
        let item = item("/website/name", "SITE_NAME_UNRELATED", "名称与网站内容无关");
        let filing = self.reject(
            filing,
            Side::Reviewer,
            Action::RejectInitialReview,
            RejectionSource::InitialReview,
            &[item],
        )?;
        self.close(ReviewState::Rejected)?;
        Ok(filing)
    }

    fn photo_required(&mut self, filing: Filing) -> anyhow::Result<Filing> {
        let filing = self.submit(filing)?;
        self.claim()?;
        let filing = self.act(filing, Side::Reviewer, Action::ApproveInitialReview, Input::default())?;
        self.close(ReviewState::Approved)?;
        Ok(filing)
    }

    fn photo(&mut self, filing: &Filing, state: PhotoState) -> anyhow::Result<()> {
        let file = self.files.photo(self.number);
        let revision = filings::model::last_revision(self.conn, filing.id)?;
        let is_there = state != PhotoState::AwaitingUpload;
        diesel::insert_into(photo_verifications::table)
            .values((
                photo_verifications::id.eq(ids::photo(self.number)),
                photo_verifications::filing_id.eq(filing.id),
                photo_verifications::account_id.eq(filing.account_id),
                photo_verifications::attempt_no.eq(1),
                photo_verifications::state.eq(state),
                photo_verifications::file_name.eq("核验照片.jpg"),
                photo_verifications::content_type.eq("image/jpeg"),
                photo_verifications::size_bytes.eq(file.size),
                photo_verifications::sha256.eq(&file.sha256),
                photo_verifications::upload_key.eq(&file.upload_key),
                photo_verifications::upload_expires_at.eq(self.now + Duration::days(30)),
                photo_verifications::object_key.eq(is_there.then_some(&file.object_key)),
                photo_verifications::preview_key.eq(is_there.then_some(&file.preview_key)),
                photo_verifications::person_hash.eq(&revision.person_hash),
                photo_verifications::findings.eq(json!([])),
                photo_verifications::created_by.eq(people::applicant(self.number)),
                photo_verifications::created_at.eq(self.now),
                photo_verifications::submitted_at.eq(is_there.then_some(self.now)),
                photo_verifications::checked_at.eq(is_there.then_some(self.now)),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    fn photo_review(&mut self, filing: Filing) -> anyhow::Result<Filing> {
        let filing = self.photo_required(filing)?;
        self.photo(&filing, PhotoState::InReview)?;
        let input = Input { photo: Some(PhotoVerificationId(ids::photo(self.number))), ..Input::default() };
        if self.number == 22 {
            // The photo's task is the one to look at here; the data's gave way.
            prepare("ReviewId", ids::review(122));
        }
        self.act(filing, Side::System, Action::SendPhotoToReview, input)
    }

    fn photo_decided(&mut self, state: PhotoState) -> anyhow::Result<()> {
        diesel::update(photo_verifications::table.find(ids::photo(self.number)))
            .set((photo_verifications::state.eq(state), photo_verifications::decided_at.eq(self.now)))
            .execute(self.conn)?;
        Ok(())
    }

    fn photo_rejected(&mut self, filing: Filing) -> anyhow::Result<Filing> {
        let filing = self.photo_review(filing)?;
        self.claim()?;
        let item = NewItem {
            target_kind: TargetKind::Photo,
            pointer: None,
            material_code: None,
            code: "PHOTO_CLOTHES_SEASON".to_owned(),
            reason: "当前为冬季，照片中穿着短袖".to_owned(),
            suggestion: None,
        };
        let filing =
            self.reject(filing, Side::Reviewer, Action::RejectPhoto, RejectionSource::PhotoReview, &[item])?;
        self.close(ReviewState::Rejected)?;
        self.photo_decided(PhotoState::Rejected)?;
        Ok(filing)
    }

    fn queued(&mut self, filing: Filing) -> anyhow::Result<Filing> {
        let filing = self.photo_review(filing)?;
        self.claim()?;
        prepare("SubmissionId", ids::submission(self.number));
        let filing = self.act(filing, Side::Reviewer, Action::ApprovePhoto, Input::default())?;
        self.close(ReviewState::Approved)?;
        self.photo_decided(PhotoState::Passed)?;
        Ok(filing)
    }

    fn submission(&mut self, state: SubmissionState) -> anyhow::Result<()> {
        use bureau_submissions as table;
        let decided = matches!(state, SubmissionState::Approved | SubmissionState::Rejected);
        diesel::update(table::table.find(ids::submission(self.number)))
            .set((
                table::state.eq(state),
                table::decided_at.eq(decided.then_some(self.now)),
                table::result_code.eq(match state {
                    SubmissionState::Approved => Some("1001"),
                    SubmissionState::Rejected => Some("1020"),
                    _ => None,
                }),
                table::last_error
                    .eq((state == SubmissionState::Failed).then_some("the bureau's address does not answer")),
                table::updated_at.eq(self.now),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    fn accepted(&mut self, filing: Filing) -> anyhow::Result<Filing> {
        use bureau_submissions as table;
        let filing = self.queued(filing)?;
        let filing = self.act(filing, Side::Operator, Action::AcceptAtBureau, Input::default())?;
        let sequence = crate::bureau_submissions::next_sequence_no(self.conn, &filing.province_code)?;
        let is_sms = filing.status == filings::Status::SmsVerification;
        diesel::update(table::table.find(ids::submission(self.number)))
            .set((
                table::state.eq(SubmissionState::Accepted),
                table::attempt_no.eq(1),
                table::sent_at.eq(self.now),
                table::accepted_at.eq(self.now),
                table::sequence_no.eq(sequence),
                table::external_reference.eq(format!("GJ-2026-{:06}", self.number)),
                table::sms_expires_at.eq(filing.due_at.filter(|_| is_sms)),
                table::bureau_due_at.eq(filing.due_at.filter(|_| !is_sms)),
                table::bureau_due_is_provisional.eq(Some(filing.due_is_provisional).filter(|_| !is_sms)),
                table::updated_at.eq(self.now),
            ))
            .execute(self.conn)?;
        Ok(filing)
    }

    fn at_bureau(&mut self, filing: Filing) -> anyhow::Result<Filing> {
        let filing = self.accepted(filing)?;
        if filing.status == filings::Status::SmsVerification {
            return self.act(filing, Side::Operator, Action::ConfirmSms, Input::default());
        }
        Ok(filing)
    }

    /// In a province that asks for the SMS verification.
    fn sms(&mut self, filing: Filing) -> anyhow::Result<Filing> {
        let filing = self.accepted(filing)?;
        anyhow::ensure!(
            filing.status == filings::Status::SmsVerification,
            "the province asks for no SMS verification"
        );
        let content = websites::model::load(self.conn, filing.content_id.0)?;
        diesel::insert_into(sms_verifications::table)
            .values((
                sms_verifications::id.eq(uuid::Uuid::now_v7()),
                sms_verifications::submission_id.eq(ids::submission(self.number)),
                sms_verifications::role.eq("website_responsible_person"),
                sms_verifications::mobile.eq(content.responsible_person.mobile.context("a mobile")?),
                sms_verifications::state.eq("pending"),
            ))
            .execute(self.conn)?;
        Ok(filing)
    }

    fn shipment(&mut self, filing: Filing, state: ShipmentState) -> anyhow::Result<()> {
        use backdrop_shipments as table;
        let filing = self.photo_required(filing)?;
        let is_packed = state != ShipmentState::Requested;
        let is_shipped = state == ShipmentState::Shipped;
        diesel::insert_into(table::table)
            .values((
                table::id.eq(ids::shipment(self.number)),
                table::filing_id.eq(filing.id),
                table::account_id.eq(filing.account_id),
                table::state.eq(state),
                table::recipient_name.eq(Sensitive::<PersonName>::new("收件人甲")),
                table::phone.eq(Sensitive::<Phone>::new(format!("1391{:07}", 2_000_000 + self.number))),
                table::province_code.eq("110000"),
                table::city_code.eq("110100"),
                table::district_code.eq("110105"),
                table::street_address.eq(Sensitive::<Address>::new("示例大街1号院2号楼301室")),
                table::postcode.eq("100020"),
                table::charged_to.eq("provider"),
                table::carrier_code.eq(is_shipped.then_some("shunfeng")),
                table::tracking_number.eq(is_shipped.then(|| format!("SF14{:011}", self.number))),
                table::tracker_status.eq(is_shipped.then_some("pending")),
                table::created_by.eq(people::applicant(self.number)),
                table::requested_at.eq(self.now),
                table::packed_at.eq(is_packed.then_some(self.now)),
                table::shipped_at.eq(is_shipped.then_some(self.now)),
                table::updated_at.eq(self.now),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Three uploads: ready, waiting for its completion, ready to be deleted.
    fn materials(&mut self, filing: &Filing) -> anyhow::Result<()> {
        for (number, state) in
            [(1, AttachmentState::Ready), (2, AttachmentState::Pending), (3, AttachmentState::Ready)]
        {
            let file = self.files.material(number);
            let is_ready = state == AttachmentState::Ready;
            diesel::insert_into(attachments::table)
                .values((
                    attachments::id.eq(ids::attachment(number)),
                    attachments::filing_id.eq(filing.id),
                    attachments::account_id.eq(filing.account_id),
                    attachments::purpose.eq("other"),
                    attachments::state.eq(state),
                    attachments::file_name.eq(format!("补充材料{number}.jpg")),
                    attachments::content_type.eq("image/jpeg"),
                    attachments::size_bytes.eq(file.size),
                    attachments::sha256.eq(&file.sha256),
                    attachments::upload_key.eq(&file.upload_key),
                    attachments::upload_expires_at.eq(self.now + Duration::days(30)),
                    attachments::object_key.eq(is_ready.then_some(&file.object_key)),
                    attachments::created_by.eq(people::applicant(self.number)),
                    attachments::created_at.eq(self.now),
                    attachments::completed_at.eq(is_ready.then_some(self.now)),
                ))
                .execute(self.conn)?;
        }
        Ok(())
    }
}

fn item(pointer: &str, code: &str, reason: &str) -> NewItem {
    NewItem {
        target_kind: TargetKind::Field,
        pointer: Some(pointer.to_owned()),
        material_code: None,
        code: code.to_owned(),
        reason: reason.to_owned(),
        suggestion: None,
    }
}

/// The filing of an account, for the rest of the demo data.
pub(super) fn id(number: u128) -> FilingId {
    FilingId(ids::filing(number))
}
