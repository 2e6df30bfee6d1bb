//! One table: which operation needs which scope and is open to whom. It is the source of the checks, of the `security` in
//! the OpenAPI document and of the authorisation test.

use std::collections::BTreeSet;

crate::text_enum! {
    /// What a caller is. `applicant` and `partner` are owners; the others are staff.
    pub enum Role {
        /// A user of a customer's account.
        Applicant = "applicant",
        /// A partner's client, acting for the partner's accounts.
        Partner = "partner",
        /// Reviews filings and photos.
        Reviewer = "reviewer",
        /// A reviewer who also assigns, releases others' claims and takes escalations.
        SeniorReviewer = "senior_reviewer",
        /// Sends backdrops.
        Logistics = "logistics",
        /// Hands filings over to the bureau.
        BureauOperator = "bureau_operator",
        /// Reads, masked.
        Support = "support",
        /// Reads the audit trail only.
        Auditor = "auditor",
        /// Users, rules, calendar, terms, jobs; no personal data.
        Admin = "admin",
    }
}

/// One operation of the API.
#[derive(Debug)]
pub struct Operation {
    /// `operationId` in the document.
    pub id: &'static str,
    /// `resource:verb`; empty for public operations.
    pub scope: &'static str,
    /// Who may; empty for public operations.
    pub roles: &'static [Role],
}

impl Operation {
    /// Whether a caller with these scopes may call it; `None` stands for all.
    pub fn is_within(&self, scopes: Option<&[String]>) -> bool {
        scopes.is_none_or(|scopes| scopes.iter().any(|scope| scope == self.scope))
    }

    /// Whether it can be called without a token.
    pub fn is_public(&self) -> bool {
        self.roles.is_empty()
    }

    /// Whether one of these roles opens it. Senior reviewers may all that reviewers may.
    pub fn is_open_to(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| {
            self.roles.contains(role) || *role == Role::SeniorReviewer && self.roles.contains(&Role::Reviewer)
        })
    }
}

/// The scopes that the admin can grant to a partner's client.
pub fn partner_scopes() -> BTreeSet<&'static str> {
    OPERATIONS
        .iter()
        .filter(|operation| operation.is_open_to(&[Role::Partner]))
        .map(|operation| operation.scope)
        .collect()
}

/// A type that stands for an operation, so that a handler names it in its signature: `Allowed<op::SubmitFiling>`.
pub trait Permission: 'static {
    /// The row of the table.
    const OPERATION: &'static Operation;
}

macro_rules! operations {
    ($($marker:ident $id:literal $scope:literal [$($role:ident),*];)+) => {
        /// A type for each operation.
        pub mod op {
            use super::{Operation, Permission, Role};
            $(
                #[doc = concat!("`", $id, "`")]
                pub struct $marker;
                impl Permission for $marker {
                    const OPERATION: &'static Operation =
                        &Operation { id: $id, scope: $scope, roles: &[$(Role::$role),*] };
                }
            )+
        }
        /// Every operation of the API.
        pub static OPERATIONS: &[&Operation] = &[$(<op::$marker as Permission>::OPERATION),+];
    };
}

operations! {
    // auth
    Login "login" "" [];
    RefreshSession "refreshSession" "" [];
    Logout "logout" "" [];
    RequestPasswordReset "requestPasswordReset" "" [];
    ConfirmPasswordReset "confirmPasswordReset" "" [];
    IssueToken "issueToken" "" [];
    // me
    GetMe "getMe" "me:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    UpdateMe "updateMe" "me:write" [Applicant, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    ChangePassword "changePassword" "me:write" [Applicant, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    ConfirmContact "confirmContact" "me:write" [Applicant, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    GetNotificationPreferences "getNotificationPreferences" "me:read" [Applicant, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    UpdateNotificationPreferences "updateNotificationPreferences" "me:write" [Applicant, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    // people
    CreateUser "createUser" "users:write" [Admin];
    ListUsers "listUsers" "users:read" [Admin];
    GetUser "getUser" "users:read" [Admin];
    UpdateUser "updateUser" "users:write" [Admin];
    DisableUser "disableUser" "users:write" [Admin];
    EnableUser "enableUser" "users:write" [Admin];
    CreatePartner "createPartner" "partners:write" [Admin];
    ListPartners "listPartners" "partners:read" [Admin];
    GetPartner "getPartner" "partners:read" [Admin];
    UpdatePartner "updatePartner" "partners:write" [Admin];
    CreateApiClient "createApiClient" "partners:write" [Admin];
    ListApiClients "listApiClients" "partners:read" [Admin];
    GetApiClient "getApiClient" "partners:read" [Admin];
    UpdateApiClient "updateApiClient" "partners:write" [Admin];
    PauseApiClient "pauseApiClient" "partners:write" [Admin];
    ResumeApiClient "resumeApiClient" "partners:write" [Admin];
    CreateApiClientSecret "createApiClientSecret" "partners:write" [Admin];
    ListApiClientSecrets "listApiClientSecrets" "partners:read" [Admin];
    RevokeApiClientSecret "revokeApiClientSecret" "partners:write" [Admin];
    CreateAccount "createAccount" "accounts:write" [Partner, Admin];
    ListAccounts "listAccounts" "accounts:read" [Partner, Admin];
    GetAccount "getAccount" "accounts:read" [Partner, Admin];
    UpdateAccount "updateAccount" "accounts:write" [Partner, Admin];
    // filed data
    GetOverview "getOverview" "filings:read" [Applicant, Partner];
    ListSubjects "listSubjects" "websites:read" [Applicant, Partner, Reviewer, BureauOperator, Support, Admin];
    GetSubject "getSubject" "websites:read" [Applicant, Partner, Reviewer, BureauOperator, Support, Admin];
    ListWebsites "listWebsites" "websites:read" [Applicant, Partner, Reviewer, BureauOperator, Support, Admin];
    GetWebsite "getWebsite" "websites:read" [Applicant, Partner, Reviewer, BureauOperator, Support, Admin];
    ListWebsiteVersions "listWebsiteVersions" "websites:read" [Applicant, Partner, Reviewer, BureauOperator, Support, Admin];
    CreateImport "createImport" "imports:write" [Partner, Admin];
    GetFilingKind "getFilingKind" "catalogue:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    // filings
    CreateFiling "createFiling" "filings:write" [Applicant, Partner];
    ListFilings "listFilings" "filings:read" [Applicant, Partner, Reviewer, BureauOperator, Support, Admin];
    GetFiling "getFiling" "filings:read" [Applicant, Partner, Reviewer, BureauOperator, Support, Admin];
    UpdateFiling "updateFiling" "filings:write" [Applicant, Partner];
    CheckFiling "checkFiling" "filings:read" [Applicant, Partner];
    SubmitFiling "submitFiling" "filings:write" [Applicant, Partner];
    WithdrawFiling "withdrawFiling" "filings:write" [Applicant, Partner];
    AbandonFiling "abandonFiling" "filings:write" [Applicant, Partner];
    ReopenFiling "reopenFiling" "filings:write" [Applicant, Partner];
    ResendFiling "resendFiling" "filings:write" [Applicant, Partner];
    GetFilingDiff "getFilingDiff" "filings:read" [Applicant, Partner, Reviewer, BureauOperator, Support, Admin];
    ListFilingRequirements "listFilingRequirements" "filings:read" [Applicant, Partner, Reviewer, BureauOperator, Support, Admin];
    ListFilingRevisions "listFilingRevisions" "filings:read" [Applicant, Partner, Reviewer, BureauOperator, Support, Admin];
    ListFilingEvents "listFilingEvents" "filings:read" [Applicant, Partner, Reviewer, BureauOperator, Support, Admin];
    ListFilingNotes "listFilingNotes" "notes:read" [Reviewer, BureauOperator];
    CreateFilingNote "createFilingNote" "notes:write" [Reviewer, BureauOperator];
    RevealFiling "revealFiling" "filings:reveal" [Applicant, Partner, Reviewer, BureauOperator];
    StreamFilingEvents "streamFilingEvents" "filings:read" [Applicant, Partner];
    CreateFilingBatch "createFilingBatch" "filings:write" [Applicant, Partner];
    ListFilingBatches "listFilingBatches" "filings:read" [Applicant, Partner];
    GetFilingBatch "getFilingBatch" "filings:read" [Applicant, Partner];
    // attachments
    CreateAttachment "createAttachment" "filings:write" [Applicant, Partner];
    ListAttachments "listAttachments" "filings:read" [Applicant, Partner, Reviewer, BureauOperator];
    GetAttachment "getAttachment" "filings:read" [Applicant, Partner, Reviewer, BureauOperator];
    CompleteAttachment "completeAttachment" "filings:write" [Applicant, Partner];
    DeleteAttachment "deleteAttachment" "filings:write" [Applicant, Partner];
    CreateAttachmentDownload "createAttachmentDownload" "files:read" [Applicant, Partner, Reviewer, BureauOperator];
    // photo verification
    CreatePhotoVerification "createPhotoVerification" "filings:write" [Applicant, Partner];
    ListPhotoVerifications "listPhotoVerifications" "filings:read" [Applicant, Partner, Reviewer];
    GetPhotoVerification "getPhotoVerification" "filings:read" [Applicant, Partner, Reviewer];
    SubmitPhotoVerification "submitPhotoVerification" "filings:write" [Applicant, Partner];
    CreatePhotoDownload "createPhotoDownload" "files:read" [Applicant, Partner, Reviewer];
    CreatePhotoPreview "createPhotoPreview" "files:read" [Applicant, Partner, Reviewer];
    CheckPhoto "checkPhoto" "catalogue:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    // backdrop
    CreateBackdropShipment "createBackdropShipment" "filings:write" [Applicant, Partner];
    ListFilingBackdropShipments "listFilingBackdropShipments" "filings:read" [Applicant, Partner];
    GetBackdropShipment "getBackdropShipment" "shipments:read" [Applicant, Partner, Logistics];
    UpdateBackdropShipment "updateBackdropShipment" "shipments:write" [Applicant, Partner, Logistics];
    CancelBackdropShipment "cancelBackdropShipment" "shipments:write" [Applicant, Partner, Logistics];
    ListBackdropShipments "listBackdropShipments" "shipments:read" [Logistics];
    GetShippingLabel "getShippingLabel" "shipments:handle" [Logistics];
    ReceiveCarrierPush "receiveCarrierPush" "" [];
    ExportShippingLabels "exportShippingLabels" "shipments:handle" [Logistics];
    ShipBackdropShipments "shipBackdropShipments" "shipments:handle" [Logistics];
    PackBackdropShipment "packBackdropShipment" "shipments:handle" [Logistics];
    ShipBackdropShipment "shipBackdropShipment" "shipments:handle" [Logistics];
    AddTrackingEvent "addTrackingEvent" "shipments:handle" [Logistics];
    MarkShipmentDelivered "markShipmentDelivered" "shipments:handle" [Logistics];
    MarkShipmentReturned "markShipmentReturned" "shipments:handle" [Logistics];
    ReportShipmentLost "reportShipmentLost" "shipments:handle" [Logistics];
    // reviews
    ListReviews "listReviews" "reviews:read" [Reviewer];
    GetReviewSummary "getReviewSummary" "reviews:read" [Reviewer];
    GetReview "getReview" "reviews:read" [Reviewer];
    ClaimNextReview "claimNextReview" "reviews:decide" [Reviewer];
    ClaimReview "claimReview" "reviews:decide" [Reviewer];
    RenewReview "renewReview" "reviews:decide" [Reviewer];
    ReleaseReview "releaseReview" "reviews:decide" [Reviewer];
    SaveReviewDraft "saveReviewDraft" "reviews:decide" [Reviewer];
    ApproveReview "approveReview" "reviews:decide" [Reviewer];
    RejectReview "rejectReview" "reviews:decide" [Reviewer];
    AssignReview "assignReview" "reviews:assign" [SeniorReviewer];
    // bureau
    ListBureauSubmissions "listBureauSubmissions" "bureau:read" [BureauOperator];
    GetBureauSubmission "getBureauSubmission" "bureau:read" [BureauOperator];
    CreateBureauPackage "createBureauPackage" "bureau:decide" [BureauOperator];
    DispatchBureauSubmission "dispatchBureauSubmission" "bureau:decide" [BureauOperator];
    AcceptBureauSubmission "acceptBureauSubmission" "bureau:decide" [BureauOperator];
    ConfirmBureauSms "confirmBureauSms" "bureau:decide" [BureauOperator];
    DecideBureauSubmission "decideBureauSubmission" "bureau:decide" [BureauOperator];
    RestartBureauStep "restartBureauStep" "bureau:decide" [BureauOperator];
    GiveUpBureauSubmission "giveUpBureauSubmission" "bureau:decide" [BureauOperator];
    DecideBureauSubmissions "decideBureauSubmissions" "bureau:decide" [BureauOperator];
    GetBureauFiledStatus "getBureauFiledStatus" "bureau:read" [BureauOperator];
    ListBureauResults "listBureauResults" "bureau:read" [BureauOperator];
    ResolveBureauResult "resolveBureauResult" "bureau:decide" [BureauOperator];
    ListBureaus "listBureaus" "bureau:read" [BureauOperator, Admin];
    GetBureau "getBureau" "bureau:read" [BureauOperator, Admin];
    PauseBureau "pauseBureau" "bureau:pause" [BureauOperator, Admin];
    ResumeBureau "resumeBureau" "bureau:pause" [BureauOperator, Admin];
    // notifications
    ListNotifications "listNotifications" "notifications:read" [Applicant];
    ReadNotification "readNotification" "notifications:write" [Applicant];
    GetUnsubscribePage "getUnsubscribePage" "" [];
    Unsubscribe "unsubscribe" "" [];
    RecordSmsReceipts "recordSmsReceipts" "" [];
    ReadAllNotifications "readAllNotifications" "notifications:write" [Applicant];
    // webhooks
    CreateWebhookEndpoint "createWebhookEndpoint" "webhooks:write" [Partner, Admin];
    ListWebhookEndpoints "listWebhookEndpoints" "webhooks:read" [Partner, Admin];
    GetWebhookEndpoint "getWebhookEndpoint" "webhooks:read" [Partner, Admin];
    UpdateWebhookEndpoint "updateWebhookEndpoint" "webhooks:write" [Partner, Admin];
    RotateWebhookSecret "rotateWebhookSecret" "webhooks:write" [Partner, Admin];
    TestWebhookEndpoint "testWebhookEndpoint" "webhooks:write" [Partner, Admin];
    RecoverWebhookDeliveries "recoverWebhookDeliveries" "webhooks:write" [Partner, Admin];
    ListWebhookDeliveries "listWebhookDeliveries" "webhooks:read" [Partner, Admin];
    GetWebhookDelivery "getWebhookDelivery" "webhooks:read" [Partner, Admin];
    RedeliverWebhook "redeliverWebhook" "webhooks:write" [Partner, Admin];
    DeleteWebhookEndpoint "deleteWebhookEndpoint" "webhooks:write" [Partner, Admin];
    ListEvents "listEvents" "events:read" [Partner, Admin];
    // catalogue
    GetCurrentTerms "getCurrentTerms" "catalogue:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    CreateTerms "createTerms" "catalogue:write" [Admin];
    GetPhotoGuide "getPhotoGuide" "catalogue:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    PutPhotoGuideItem "putPhotoGuideItem" "catalogue:write" [Admin];
    ListBackdropProfiles "listBackdropProfiles" "catalogue:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    PutBackdropProfile "putBackdropProfile" "catalogue:write" [Admin];
    ListRejectionReasons "listRejectionReasons" "catalogue:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    PutRejectionReason "putRejectionReason" "catalogue:write" [Admin];
    ListCarriers "listCarriers" "catalogue:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    PutCarrier "putCarrier" "catalogue:write" [Admin];
    ListRegions "listRegions" "catalogue:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    ListDictionaries "listDictionaries" "catalogue:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    PutDictionaryEntry "putDictionaryEntry" "catalogue:write" [Admin];
    ListProvinceRules "listProvinceRules" "catalogue:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    PutProvinceRule "putProvinceRule" "catalogue:write" [Admin];
    GetCalendarYear "getCalendarYear" "catalogue:read" [Applicant, Partner, Reviewer, SeniorReviewer, Logistics, BureauOperator, Support, Auditor, Admin];
    PutCalendarYear "putCalendarYear" "catalogue:write" [Admin];
    // oversight
    ListAuditEvents "listAuditEvents" "audit:read" [Auditor];
    ListJobs "listJobs" "jobs:read" [Admin];
    RetryJob "retryJob" "jobs:write" [Admin];
    DiscardJob "discardJob" "jobs:write" [Admin];
    ListUndeliverableContacts "listUndeliverableContacts" "contacts:read" [Support, Admin];
    ListMessageDeliveries "listMessageDeliveries" "contacts:read" [Support, Admin];
    ListAlarms "listAlarms" "alarms:read" [SeniorReviewer, BureauOperator, Support, Admin];
    ListSmsMessages "listSmsMessages" "jobs:read" [Admin];
    ListPhotoPrecheckSettings "listPhotoPrecheckSettings" "catalogue:write" [Admin];
    PutPhotoPrecheckSetting "putPhotoPrecheckSetting" "catalogue:write" [Admin];
    // health
    GetLiveness "getLiveness" "" [];
    GetReadiness "getReadiness" "" [];
    GetVersion "getVersion" "" [];
    ListProblems "listProblems" "" [];
    GetProblem "getProblem" "" [];
    GetPhotoGuideExample "getPhotoGuideExample" "" [];
}
