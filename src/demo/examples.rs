//! Which demo user can execute which operation's example, and with which ids: Swagger UI shows them, and a test executes
//! each as it stands. Operations that are not listed work with the examples they have, as the first user of their role.

use uuid::Uuid;

use super::ids;

/// An example of one operation.
pub struct Example {
    /// The operation.
    pub operation_id: &'static str,
    /// Who executes it.
    pub login: &'static str,
    /// Value of the path parameter `id`.
    pub id: Uuid,
}

const fn example(operation_id: &'static str, login: &'static str, id: Uuid) -> Example {
    Example { operation_id, login, id }
}

/// The examples, in the order in which one after the other works.
pub static EXAMPLES: &[Example] = &[
    example("getFiling", "demo-applicant", ids::filing(1)),
    example("updateFiling", "demo-applicant", ids::filing(1)),
    example("checkFiling", "demo-applicant", ids::filing(1)),
    example("getFilingDiff", "demo-applicant", ids::filing(1)),
    example("listFilingRequirements", "demo-applicant", ids::filing(1)),
    example("listFilingRevisions", "demo-applicant", ids::filing(1)),
    example("listFilingEvents", "demo-applicant", ids::filing(1)),
    example("streamFilingEvents", "demo-applicant", ids::filing(1)),
    example("revealFiling", "demo-applicant", ids::filing(1)),
    example("createAttachment", "demo-applicant", ids::filing(1)),
    example("listAttachments", "demo-applicant", ids::filing(1)),
    example("getAttachment", "demo-applicant", ids::attachment(1)),
    example("createAttachmentDownload", "demo-applicant", ids::attachment(1)),
    example("completeAttachment", "demo-applicant", ids::attachment(2)),
    example("deleteAttachment", "demo-applicant", ids::attachment(3)),
    example("submitFiling", "demo-applicant", ids::filing(1)),
    example("withdrawFiling", "demo-applicant-3", ids::filing(3)),
    example("resendFiling", "demo-applicant-6", ids::filing(6)),
    example("abandonFiling", "demo-applicant-7", ids::filing(7)),
    example("reopenFiling", "demo-applicant-8", ids::filing(8)),
    example("createPhotoVerification", "demo-applicant-13", ids::filing(13)),
    example("listPhotoVerifications", "demo-applicant-22", ids::filing(22)),
    example("getPhotoVerification", "demo-applicant-22", ids::photo(22)),
    example("createPhotoDownload", "demo-applicant-22", ids::photo(22)),
    example("createPhotoPreview", "demo-applicant-22", ids::photo(22)),
    example("submitPhotoVerification", "demo-applicant-14", ids::photo(14)),
    example("createBackdropShipment", "demo-applicant-13", ids::filing(13)),
    example("listFilingBackdropShipments", "demo-applicant-15", ids::filing(15)),
    example("getBackdropShipment", "demo-applicant-15", ids::shipment(15)),
    example("updateBackdropShipment", "demo-applicant-15", ids::shipment(15)),
    example("cancelBackdropShipment", "demo-applicant-16", ids::shipment(16)),
    example("getShippingLabel", "demo-logistics", ids::shipment(15)),
    example("packBackdropShipment", "demo-logistics", ids::shipment(17)),
    example("shipBackdropShipment", "demo-logistics", ids::shipment(18)),
    example("addTrackingEvent", "demo-logistics", ids::shipment(19)),
    example("markShipmentDelivered", "demo-logistics", ids::shipment(19)),
    example("markShipmentReturned", "demo-logistics", ids::shipment(20)),
    example("reportShipmentLost", "demo-logistics", ids::shipment(21)),
    example("getReview", "demo-reviewer", ids::review(9)),
    example("claimReview", "demo-reviewer", ids::review(4)),
    example("assignReview", "demo-senior-reviewer", ids::review(5)),
    example("saveReviewDraft", "demo-reviewer", ids::review(11)),
    example("renewReview", "demo-reviewer", ids::review(11)),
    example("releaseReview", "demo-reviewer", ids::review(12)),
    example("approveReview", "demo-reviewer", ids::review(9)),
    example("rejectReview", "demo-reviewer", ids::review(10)),
    example("listFilingNotes", "demo-reviewer", ids::filing(4)),
    example("createFilingNote", "demo-reviewer", ids::filing(4)),
    example("getBureauSubmission", "demo-bureau", ids::submission(24)),
    example("createBureauPackage", "demo-bureau", ids::submission(24)),
    example("acceptBureauSubmission", "demo-bureau", ids::submission(23)),
    example("giveUpBureauSubmission", "demo-bureau", ids::submission(24)),
    example("dispatchBureauSubmission", "demo-bureau", ids::submission(30)),
    example("restartBureauStep", "demo-bureau", ids::submission(31)),
    example("confirmBureauSms", "demo-bureau", ids::submission(25)),
    example("decideBureauSubmission", "demo-bureau", ids::submission(26)),
    example("getBureauFiledStatus", "demo-bureau", ids::submission(24)),
    example("resolveBureauResult", "demo-bureau", ids::bureau_result(1)),
    example("getFilingBatch", "demo-applicant", ids::filing_batch(1)),
    example("createFiling", "demo-applicant-2", ids::website(2)),
    // Not of a user whom other examples need.
    example("changePassword", "demo-applicant-12", ids::user(1)),
];

/// The example of an operation.
pub fn find(operation_id: &str) -> Option<&'static Example> {
    EXAMPLES.iter().find(|example| example.operation_id == operation_id)
}

/// The filings of the demo partner's customers: rejected by the bureau, and waiting for another photo.
const REJECTED: Uuid = ids::filing(28);
const WITHOUT_PHOTO: Uuid = ids::filing(27);

/// What the demo partner's program takes instead, since it does not see the demo applicants': operation, name of the
/// parameter or member, id. In an order in which one after the other works.
pub static PARTNER_EXAMPLES: &[(&str, &str, Uuid)] = &[
    ("createFiling", "website_id", ids::website(32)),
    ("getWebsite", "id", ids::website(32)),
    ("listWebsiteVersions", "id", ids::website(32)),
    ("getSubject", "id", ids::subject(32)),
    ("getAccount", "id", ids::account(32)),
    ("updateAccount", "id", ids::account(32)),
    ("getFiling", "id", REJECTED),
    ("updateFiling", "id", REJECTED),
    ("checkFiling", "id", REJECTED),
    ("getFilingDiff", "id", REJECTED),
    ("listFilingRequirements", "id", REJECTED),
    ("listFilingRevisions", "id", REJECTED),
    ("listFilingEvents", "id", REJECTED),
    ("streamFilingEvents", "id", REJECTED),
    ("revealFiling", "id", REJECTED),
    ("createAttachment", "id", REJECTED),
    ("listAttachments", "id", REJECTED),
    ("submitFiling", "id", REJECTED),
    ("listPhotoVerifications", "id", WITHOUT_PHOTO),
    ("createPhotoVerification", "id", WITHOUT_PHOTO),
    ("createBackdropShipment", "id", WITHOUT_PHOTO),
    ("listFilingBackdropShipments", "id", WITHOUT_PHOTO),
    ("withdrawFiling", "id", WITHOUT_PHOTO),
    ("abandonFiling", "id", WITHOUT_PHOTO),
];

/// What the demo partner takes instead: name and id.
pub fn find_for_partner(operation_id: &str) -> Option<(&'static str, Uuid)> {
    PARTNER_EXAMPLES.iter().find(|example| example.0 == operation_id).map(|(_, name, id)| (*name, *id))
}
