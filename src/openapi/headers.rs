//! The headers of replies, and conditional reads: said here for all operations. `tests/api/support/documented.rs` holds every
//! reply of every test against it, in both directions.

use serde_json::{Map, Value, json};

/// Operations whose replies carry the ETag of what they show. Those that read also take `If-None-Match`.
const TAGGED: &[&str] = &[
    "getMe",
    "updateMe",
    "confirmContact",
    "getNotificationPreferences",
    "updateNotificationPreferences",
    "createUser",
    "getUser",
    "updateUser",
    "disableUser",
    "enableUser",
    "createPartner",
    "getPartner",
    "updatePartner",
    "createApiClient",
    "getApiClient",
    "updateApiClient",
    "pauseApiClient",
    "resumeApiClient",
    "createAccount",
    "getAccount",
    "updateAccount",
    "getOverview",
    "getSubject",
    "getWebsite",
    "getFilingKind",
    "createFiling",
    "getFiling",
    "updateFiling",
    "submitFiling",
    "withdrawFiling",
    "abandonFiling",
    "reopenFiling",
    "resendFiling",
    "getFilingDiff",
    "listFilingRevisions",
    "createFilingBatch",
    "getFilingBatch",
    "createAttachment",
    "getAttachment",
    "completeAttachment",
    "createPhotoVerification",
    "getPhotoVerification",
    "submitPhotoVerification",
    "createBackdropShipment",
    "getBackdropShipment",
    "updateBackdropShipment",
    "cancelBackdropShipment",
    "packBackdropShipment",
    "shipBackdropShipment",
    "addTrackingEvent",
    "markShipmentDelivered",
    "markShipmentReturned",
    "reportShipmentLost",
    "getReview",
    "claimNextReview",
    "claimReview",
    "renewReview",
    "releaseReview",
    "saveReviewDraft",
    "approveReview",
    "rejectReview",
    "assignReview",
    "getBureauSubmission",
    "dispatchBureauSubmission",
    "acceptBureauSubmission",
    "confirmBureauSms",
    "decideBureauSubmission",
    "restartBureauStep",
    "giveUpBureauSubmission",
    "getBureau",
    "pauseBureau",
    "resumeBureau",
    "createWebhookEndpoint",
    "getWebhookEndpoint",
    "updateWebhookEndpoint",
    "rotateWebhookSecret",
    "getCurrentTerms",
    "getPhotoGuide",
    "getCalendarYear",
    "listPhotoPrecheckSettings",
];

/// Operations that say when it is worth looking again, while a job works on what they show.
const LOOK_AGAIN: &[&str] = &["createFilingBatch", "getFilingBatch"];

/// Its 503 says what is down, and is no problem of ours to wait for.
const PROBE: &str = "getReadiness";

/// Adds the headers of every reply, and what makes a read conditional.
pub fn complete(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for item in paths.values_mut().filter_map(Value::as_object_mut) {
        for (method, operation) in item {
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            let is_tagged = TAGGED.contains(&id.as_str());
            if is_tagged && method == "get" {
                make_conditional(operation);
            }
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let takes = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
            let (is_repeatable, is_list) = (takes("Idempotency-Key"), takes("cursor"));
            let Some(responses) = operation["responses"].as_object_mut() else { continue };
            for (status, response) in responses.iter_mut() {
                let mut headers = Map::new();
                let mut add = |name: &str, header: Value| headers.insert(name.to_owned(), header);
                let is_success = status.starts_with('2');
                if is_tagged && (is_success || status == "304") {
                    add(
                        "ETag",
                        always("string", "Version of what is shown, for `If-Match` and `If-None-Match`."),
                    );
                }
                match status.as_str() {
                    "201" => drop(add("Location", always("string", "Address of what was created."))),
                    "202" if LOOK_AGAIN.contains(&id.as_str()) => {
                        add("Location", always("string", "Where to look for the result."));
                    }
                    "401" => {
                        add("WWW-Authenticate", always("string", "How to authenticate (RFC 9110, 11.6.1)."));
                    }
                    "403" if names_code(response, "insufficient_scope") => {
                        let text = "With `insufficient_scope`: as RFC 6750, 3.1 wants it.";
                        add("WWW-Authenticate", sometimes("string", text));
                    }
                    "409" if is_repeatable => {
                        let text = "Seconds to wait, with `idempotency_in_flight`.";
                        add("Retry-After", sometimes("integer", text));
                    }
                    "429" | "503" if id != PROBE || status == "429" => {
                        add("Retry-After", always("integer", "Seconds to wait."));
                    }
                    _ => {}
                }
                if is_success && LOOK_AGAIN.contains(&id.as_str()) {
                    let text = "Seconds until it is worth looking again; absent when the work is done.";
                    add("Retry-After", sometimes("integer", text));
                }
                if is_success && is_repeatable {
                    let text = "`true` when this is the stored reply to an earlier request with the same `Idempotency-Key`.";
                    add("Idempotency-Replayed", sometimes("string", text));
                }
                if status == "200" && is_list {
                    add(
                        "Link",
                        sometimes("string", "The next page, as `<…>; rel=\"next\"`; absent on the last."),
                    );
                }
                if !headers.is_empty() {
                    response["headers"] = Value::Object(headers);
                }
            }
            responses.sort_keys();
        }
    }
}

/// A header that every reply of this status has.
fn always(kind: &str, text: &str) -> Value {
    json!({ "description": text, "required": true, "schema": { "type": kind } })
}

/// A header that some replies of this status have.
fn sometimes(kind: &str, text: &str) -> Value {
    json!({ "description": text, "schema": { "type": kind } })
}

fn names_code(response: &Value, code: &str) -> bool {
    !response["content"]["application/problem+json"]["examples"][code].is_null()
}

fn make_conditional(operation: &mut Value) {
    let parameter = json!({
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of the reply that you have: 304 without a body when it still holds.",
        "required": false,
        "schema": { "type": "string" },
    });
    if operation["parameters"].is_null() {
        operation["parameters"] = json!([]);
    }
    if let Some(parameters) = operation["parameters"].as_array_mut() {
        parameters.push(parameter);
    }
    operation["responses"]["304"] = json!({ "description": "What you have (`If-None-Match`) still holds." });
}
