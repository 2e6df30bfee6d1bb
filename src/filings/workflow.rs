//! The state machine of a filing: one pure function over (status, action, actor, facts). Domain section 3, row by row.

crate::text_enum! {
    /// Status of a filing (备案订单).
    pub enum Status {
        /// 草稿
        Draft = "draft",
        /// 初审中
        InitialReview = "initial_review",
        /// 初审驳回
        InitialRejected = "initial_rejected",
        /// 待拍照核验
        PhotoRequired = "photo_required",
        /// 照片审核中
        PhotoReview = "photo_review",
        /// 照片驳回
        PhotoRejected = "photo_rejected",
        /// 待提交管局
        BureauQueued = "bureau_queued",
        /// 短信核验中
        SmsVerification = "sms_verification",
        /// 短信核验失败
        SmsFailed = "sms_failed",
        /// 管局审核中
        BureauReview = "bureau_review",
        /// 管局驳回
        BureauRejected = "bureau_rejected",
        /// 管局审核通过
        Approved = "approved",
        /// 已放弃
        Abandoned = "abandoned",
        /// 已过期
        Expired = "expired",
    }
}

impl Status {
    /// Whether the applicant may edit the content.
    pub fn is_editable(self) -> bool {
        matches!(self, Self::Draft | Self::InitialRejected | Self::BureauRejected | Self::SmsFailed)
    }

    /// Every status but approved, abandoned and expired: it takes the subject's one place.
    pub fn is_live(self) -> bool {
        !matches!(self, Self::Approved | Self::Abandoned | Self::Expired)
    }

    /// Whether the step expires after 45 days without the applicant.
    pub fn expires(self) -> bool {
        matches!(
            self,
            Self::Draft
                | Self::InitialRejected
                | Self::PhotoRequired
                | Self::PhotoRejected
                | Self::SmsFailed
                | Self::BureauRejected
        )
    }

    /// When the next side must have acted.
    pub fn deadline(self) -> Option<DeadlineRule> {
        match self {
            Self::InitialReview | Self::PhotoReview | Self::BureauQueued => {
                Some(DeadlineRule::WorkingDays(1))
            }
            Self::BureauReview => Some(DeadlineRule::WorkingDays(20)),
            Self::SmsVerification => Some(DeadlineRule::Hours(24)),
            _ => None,
        }
    }
}

/// How a deadline is counted from the moment that a status was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadlineRule {
    /// End of the n-th working day, Asia/Shanghai.
    WorkingDays(u32),
    /// Clock hours.
    Hours(i64),
}

crate::text_enum! {
    /// What can be done to a filing.
    pub enum Action {
        /// Change the content (row 2).
        Edit = "edit",
        /// Hand in for the initial review (row 3).
        Submit = "submit",
        /// 撤销备案: take back to the draft (row 4).
        Withdraw = "withdraw",
        /// Initial review fails (row 5).
        RejectInitialReview = "reject_initial_review",
        /// Initial review passes (rows 6 and 6b).
        ApproveInitialReview = "approve_initial_review",
        /// Order a backdrop; the status stays.
        RequestBackdrop = "request_backdrop",
        /// Upload a photo; the status stays until it is checked.
        UploadPhoto = "upload_photo",
        /// The check found nothing that blocks (row 7).
        SendPhotoToReview = "send_photo_to_review",
        /// The photo is refused (row 8).
        RejectPhoto = "reject_photo",
        /// The photo shows that data are wrong (row 8b).
        RejectDataAtPhoto = "reject_data_at_photo",
        /// The photo is good (row 9).
        ApprovePhoto = "approve_photo",
        /// The bureau took the package (row 10).
        AcceptAtBureau = "accept_at_bureau",
        /// The bureau refused the package, or the operator gives up (row 10b).
        RefuseAtBureau = "refuse_at_bureau",
        /// Every phone confirmed (row 11).
        ConfirmSms = "confirm_sms",
        /// 24 hours over, or the sixth wrong try (row 12).
        FailSms = "fail_sms",
        /// The same revision once more after a failed SMS verification (row 13).
        Resend = "resend",
        /// The bureau approves (row 14).
        ApproveAtBureau = "approve_at_bureau",
        /// The bureau refuses (row 15).
        RejectAtBureau = "reject_at_bureau",
        /// 放弃备案 (row 16).
        Abandon = "abandon",
        /// 45 days without the applicant (row 17).
        Expire = "expire",
        /// Take an expired filing up again (row 18).
        Reopen = "reopen",
    }
}

/// On which side the actor of an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The applicant or the partner's client.
    Owner,
    /// The reviewer who holds the task.
    Reviewer,
    /// The bureau operator.
    Operator,
    /// Timers, jobs and gateways.
    System,
}

impl Side {
    /// Every side.
    pub const ALL: &'static [Self] = &[Self::Owner, Self::Reviewer, Self::Operator, Self::System];
}

/// What the decision depends on beside status and actor. The caller gathers it under the filing's lock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// A passed photo of the same person, younger than 90 days and not void.
    pub has_valid_photo: bool,
    /// The province's rule row asks for the SMS verification.
    pub asks_for_sms: bool,
    /// The filed version that the draft was copied from is still in force.
    pub base_is_current: bool,
    /// Another filing of the subject is live.
    pub has_other_live_filing: bool,
    /// The submission has not been sent yet.
    pub submission_is_queued: bool,
    /// An attempt ended without a reply: the bureau may have the package.
    pub submission_is_unconfirmed: bool,
    /// The content differs from the last revision.
    pub is_changed_since_revision: bool,
    /// A photo is being checked.
    pub photo_is_checking: bool,
    /// A photo waits for its reviewer or is being checked.
    pub has_live_photo: bool,
    /// A backdrop is requested, packed or shipped.
    pub has_open_shipment: bool,
}

/// What a transition brings about, in this order, in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Freeze the content as the next revision.
    FreezeRevision,
    /// Photos of another person than the revision's become void.
    VoidPhotosOfOthers,
    /// Open a task for the reviewers of the data.
    OpenInitialReview,
    /// Open a task for the reviewers of the photo.
    OpenPhotoReview,
    /// Cancel the open task, claimed or not.
    CancelTask,
    /// Cancel the live photo attempt.
    CancelPhoto,
    /// Cancel the submission that has not been sent.
    CancelSubmission,
    /// Cancel the backdrop that has not been shipped.
    CancelShipment,
    /// Queue the revision for the bureau.
    QueueSubmission,
    /// Write the new filed version.
    ApplyToWebsite,
    /// Copy the filed content anew and reapply the applicant's changes.
    Rebase,
}

/// The outcome of an allowed action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The next status; may be the same.
    pub to: Status,
    /// What else happens.
    pub effects: Vec<Effect>,
    /// The timeline event; none when nothing is to be told.
    pub event: Option<&'static str>,
}

/// Why an action is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not in this status.
    Status,
    /// Not by this side.
    Side,
    /// The filed data have changed since the draft was copied.
    BaseOutdated,
    /// Another filing of the subject is live.
    LiveFilingExists,
    /// The bureau may have the package already; its record must be asked first.
    Unconfirmed,
    /// The package has been sent.
    AlreadySent,
    /// The content has been changed: submit instead.
    Changed,
    /// A photo is being checked or reviewed.
    PhotoUnderWay,
    /// A backdrop is on its way.
    ShipmentOpen,
}

/// Decides. Nothing outside this function knows which action is possible when.
///
/// # Errors
/// The first reason against the action: status, then side, then guards.
pub fn decide(status: Status, action: Action, side: Side, facts: &Facts) -> Result<Decision, Refusal> {
    use Action as A;
    use Effect as E;
    use Status as S;

    let is_here = match action {
        A::Edit | A::Submit => status.is_editable(),
        A::Withdraw => matches!(
            status,
            S::InitialReview | S::PhotoRequired | S::PhotoRejected | S::PhotoReview | S::BureauQueued
        ),
        A::RejectInitialReview | A::ApproveInitialReview => status == S::InitialReview,
        A::RequestBackdrop => matches!(status, S::InitialReview | S::PhotoRequired | S::PhotoRejected),
        A::UploadPhoto | A::SendPhotoToReview => matches!(status, S::PhotoRequired | S::PhotoRejected),
        A::RejectPhoto | A::RejectDataAtPhoto | A::ApprovePhoto => status == S::PhotoReview,
        A::AcceptAtBureau => status == S::BureauQueued,
        A::RefuseAtBureau => matches!(status, S::BureauQueued | S::SmsVerification),
        A::ConfirmSms | A::FailSms => status == S::SmsVerification,
        A::Resend => status == S::SmsFailed,
        A::ApproveAtBureau | A::RejectAtBureau => status == S::BureauReview,
        A::Abandon => matches!(
            status,
            S::Draft
                | S::InitialRejected
                | S::PhotoRequired
                | S::PhotoReview
                | S::PhotoRejected
                | S::SmsFailed
                | S::BureauRejected
        ),
        A::Expire => status.expires(),
        A::Reopen => status == S::Expired,
    };
    if !is_here {
        return Err(Refusal::Status);
    }
    let is_theirs = match action {
        A::Edit
        | A::Submit
        | A::Withdraw
        | A::RequestBackdrop
        | A::UploadPhoto
        | A::Resend
        | A::Abandon
        | A::Reopen => side == Side::Owner,
        A::RejectInitialReview
        | A::ApproveInitialReview
        | A::RejectPhoto
        | A::RejectDataAtPhoto
        | A::ApprovePhoto => side == Side::Reviewer,
        A::AcceptAtBureau
        | A::RefuseAtBureau
        | A::ConfirmSms
        | A::FailSms
        | A::ApproveAtBureau
        | A::RejectAtBureau => {
            matches!(side, Side::Operator | Side::System)
        }
        A::SendPhotoToReview | A::Expire => side == Side::System,
    };
    if !is_theirs {
        return Err(Refusal::Side);
    }

    let go =
        |to, effects: &[Effect], event| Ok(Decision { to, effects: effects.to_vec(), event: Some(event) });
    let stay = || Ok(Decision { to: status, effects: Vec::new(), event: None });
    match action {
        A::Edit => stay(),
        A::Submit if !facts.base_is_current => Err(Refusal::BaseOutdated),
        A::Submit => go(
            S::InitialReview,
            &[E::FreezeRevision, E::VoidPhotosOfOthers, E::OpenInitialReview],
            "filing.submitted",
        ),
        A::Withdraw if status == S::BureauQueued && !facts.submission_is_queued => Err(Refusal::AlreadySent),
        A::Withdraw => {
            go(S::Draft, &[E::CancelTask, E::CancelPhoto, E::CancelSubmission], "filing.withdrawn")
        }
        A::RejectInitialReview => go(S::InitialRejected, &[], "initial_review.rejected"),
        A::ApproveInitialReview if facts.has_valid_photo => {
            go(S::BureauQueued, &[E::QueueSubmission], "initial_review.passed")
        }
        A::ApproveInitialReview => go(S::PhotoRequired, &[], "initial_review.passed"),
        A::RequestBackdrop if facts.has_open_shipment => Err(Refusal::ShipmentOpen),
        A::RequestBackdrop => stay(),
        A::UploadPhoto if facts.has_live_photo => Err(Refusal::PhotoUnderWay),
        A::UploadPhoto => stay(),
        A::SendPhotoToReview => go(S::PhotoReview, &[E::OpenPhotoReview], "photo.received"),
        A::RejectPhoto => go(S::PhotoRejected, &[], "photo.rejected"),
        A::RejectDataAtPhoto => go(S::InitialRejected, &[E::CancelPhoto], "initial_review.rejected"),
        A::ApprovePhoto => go(S::BureauQueued, &[E::QueueSubmission], "photo.passed"),
        A::AcceptAtBureau if facts.asks_for_sms => go(S::SmsVerification, &[], "sms.started"),
        A::AcceptAtBureau => go(S::BureauReview, &[], "bureau.submitted"),
        A::RefuseAtBureau if facts.submission_is_unconfirmed => Err(Refusal::Unconfirmed),
        A::RefuseAtBureau => go(S::BureauRejected, &[], "bureau.rejected"),
        A::ConfirmSms => go(S::BureauReview, &[], "bureau.submitted"),
        A::FailSms => go(S::SmsFailed, &[], "sms.failed"),
        A::Resend if facts.is_changed_since_revision => Err(Refusal::Changed),
        A::Resend => go(S::BureauQueued, &[E::QueueSubmission], "bureau.queued"),
        A::ApproveAtBureau if !facts.base_is_current => Err(Refusal::BaseOutdated),
        A::ApproveAtBureau => go(S::Approved, &[E::ApplyToWebsite, E::CancelShipment], "bureau.approved"),
        A::RejectAtBureau => go(S::BureauRejected, &[], "bureau.rejected"),
        A::Abandon => {
            go(S::Abandoned, &[E::CancelTask, E::CancelPhoto, E::CancelShipment], "filing.abandoned")
        }
        A::Expire if facts.has_open_shipment => Err(Refusal::ShipmentOpen),
        A::Expire if facts.photo_is_checking => Err(Refusal::PhotoUnderWay),
        A::Expire => go(S::Expired, &[E::CancelTask, E::CancelPhoto, E::CancelShipment], "filing.expired"),
        A::Reopen if facts.has_other_live_filing => Err(Refusal::LiveFilingExists),
        A::Reopen => go(S::Draft, &[E::Rebase], "filing.reopened"),
    }
}

/// The actions that a side can take now.
pub fn allowed(status: Status, side: Side, facts: &Facts) -> Vec<Action> {
    Action::ALL.iter().copied().filter(|action| decide(status, *action, side, facts).is_ok()).collect()
}
