//! When each type of event is sent, and what stands in its `data`: for the document, and watched by the tests.

/// A type of event.
pub struct Trigger {
    /// The type.
    pub event_type: &'static str,
    /// When it is sent, as a sentence.
    pub when: &'static str,
    /// The members of `data`, each with its meaning.
    pub data: &'static [(&'static str, &'static str)],
}

const fn trigger(
    event_type: &'static str,
    when: &'static str,
    data: &'static [(&'static str, &'static str)],
) -> Trigger {
    Trigger { event_type, when, data }
}

const REVIEW: (&str, &str) = ("review_id", "the review's task");
const REJECTION: (&str, &str) =
    ("rejection_id", "the rejection; its reasons stand in `rejection` of the filing");
const PHOTO: (&str, &str) = ("photo_verification_id", "the photo, for `getPhotoVerification`");
const SHIPMENT: (&str, &str) = ("shipment_id", "the shipment, for `getBackdropShipment`");
const SUBMISSION: (&str, &str) = ("submission_id", "the submission to the bureau");
const RESULT: (&str, &str) =
    ("result_code", "the bureau's code, text; null when an operator gave up on the submission");
const NUMBER: (&str, &str) = ("number", "1 for the first reminder in this status, then 2, 3");
const SILENT: (&str, &str) =
    ("is_silent", "false; true only in the timeline, for a reminder that was missed and not sent");

/// Every type that owners and partners see.
pub const TRIGGERS: &[Trigger] = &[
    trigger(
        "filing.created",
        "A draft was made: by `createFiling`, or for a row of `createFilingBatch`.",
        &[],
    ),
    trigger(
        "filing.submitted",
        "The owner submitted the filing, for the first time or again after a rejection (`submitFiling`). The initial \
         review begins.",
        &[],
    ),
    trigger(
        "filing.withdrawn",
        "The owner took the filing back (`withdrawFiling`). It is a draft again.",
        &[],
    ),
    trigger("filing.abandoned", "The owner gave the filing up for good (`abandonFiling`).", &[]),
    trigger(
        "filing.expired",
        "The filing waited 45 days for its owner. It can be opened again (`reopenFiling`).",
        &[],
    ),
    trigger(
        "filing.reopened",
        "The owner opened an expired filing again (`reopenFiling`). It is a draft.",
        &[],
    ),
    trigger(
        "initial_review.passed",
        "A reviewer approved the content. `status` says what comes next: `photo_required`, or `bureau_queued` when an \
         earlier photo still counts.",
        &[REVIEW],
    ),
    trigger(
        "initial_review.rejected",
        "A reviewer rejected the content: in the initial review, or later, while looking at the photo.",
        &[REVIEW, REJECTION],
    ),
    trigger(
        "photo.received",
        "A photo passed the automatic check and waits for a reviewer. (Not yet at the upload: the check comes first.)",
        &[PHOTO],
    ),
    trigger(
        "photo.precheck_failed",
        "The automatic check refused a photo. The status stays; another photo may be sent.",
        &[PHOTO, ("codes", "list of the codes of what was found")],
    ),
    trigger("photo.passed", "A reviewer approved the photo. The filing waits for the bureau.", &[REVIEW]),
    trigger("photo.rejected", "A reviewer rejected the photo. Another one is needed.", &[REVIEW, REJECTION]),
    trigger("backdrop.requested", "The owner ordered a backdrop (`createBackdropShipment`).", &[SHIPMENT]),
    trigger("backdrop.shipped", "The backdrop was handed to the courier.", &[SHIPMENT]),
    trigger(
        "backdrop.delivered",
        "The courier or logistics reported that the backdrop arrived.",
        &[SHIPMENT],
    ),
    trigger(
        "backdrop.returned",
        "The courier or logistics reported that the backdrop came back. Another may be ordered.",
        &[SHIPMENT],
    ),
    trigger("backdrop.lost", "Logistics recorded the backdrop as lost. Another may be ordered.", &[SHIPMENT]),
    trigger(
        "bureau.queued",
        "The owner sent the unchanged filing to the bureau once more, after a failed SMS verification (`resendFiling`). \
         (The first time it is `photo.passed` or `initial_review.passed` that leads to `bureau_queued`.)",
        &[],
    ),
    trigger(
        "bureau.submitted",
        "The bureau's review begins: the bureau took the filing, or the last SMS was confirmed where the province asks \
         for SMS.",
        &[SUBMISSION],
    ),
    trigger("bureau.approved", "The bureau approved. The change is filed.", &[SUBMISSION, RESULT]),
    trigger(
        "bureau.rejected",
        "The bureau rejected, did not take the package, or an operator gave up on it. The owner may edit and submit again.",
        &[SUBMISSION, RESULT, REJECTION],
    ),
    trigger(
        "sms.started",
        "The bureau took the filing and sent SMS codes. The persons have 24 hours to enter them at the bureau's site.",
        &[SUBMISSION],
    ),
    trigger(
        "sms.reminder",
        "SMS verification is not finished: 2, 12 and 20 hours after it began.",
        &[NUMBER, SILENT],
    ),
    trigger(
        "sms.failed",
        "SMS verification failed: too many wrong tries, or 24 hours passed. The owner may send again or edit.",
        &[SUBMISSION],
    ),
    trigger(
        "step.reminder",
        "The filing has waited for its owner for 7, 15 and 30 days. After 45 days it expires.",
        &[NUMBER, SILENT],
    ),
    trigger(
        "website.updated",
        "The website's filed data changed; always after `bureau.approved`.",
        &[("website_id", "the website, for `getWebsite`")],
    ),
    trigger(
        "webhook.test",
        "You asked for it (`testWebhookEndpoint`). The filing that it names does not exist.",
        &[],
    ),
];

/// What is known of a type.
pub fn find(event_type: &str) -> Option<&'static Trigger> {
    TRIGGERS.iter().find(|trigger| trigger.event_type == event_type)
}

impl Trigger {
    /// What is in `data`, as a sentence.
    pub fn data_text(&self) -> String {
        let members: Vec<String> =
            self.data.iter().map(|(name, meaning)| format!("`{name}` ({meaning})")).collect();
        match members.as_slice() {
            [] => "`data` is empty.".to_owned(),
            _ => format!("In `data`: {}.", members.join(", ")),
        }
    }
}
