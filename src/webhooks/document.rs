//! The events in the OpenAPI document: what partners' receivers get, one entry for each type that owners may see.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::triggers;
use crate::catalogue::data::event_types;

/// Type of the event that `POST /v1/webhook-endpoints/{id}/test` sends.
pub const TEST_EVENT: &str = "webhook.test";

/// A test event: a `FilingEvent` like all others, so that a receiver's parser takes it, about a filing that does not exist.
pub fn test_event(id: Uuid, now: DateTime<Utc>) -> Value {
    json!({
        "id": id,
        "filing_id": Uuid::nil(),
        "account_id": Uuid::nil(),
        "order_no": "BA-0000-000000",
        "external_reference": null,
        "type": TEST_EVENT,
        "label": "测试事件",
        "at": now.to_rfc3339_opts(SecondsFormat::Micros, true),
        "actor_role": "system",
        "status": "draft",
        "version": 0,
        "data": {},
    })
}

/// The `webhooks` object of the OpenAPI document. The schema `FilingEvent` is the timeline's.
pub fn webhooks_document() -> Value {
    let visible = event_types().iter().filter(|kind| kind.visibility == "applicant");
    Value::Object(
        visible
            .map(|kind| (kind.event_type.as_str(), kind.label.en.as_str(), kind.label.zh.as_str()))
            .chain([(TEST_EVENT, "Test event", "测试事件")])
            .map(|(name, en, zh)| (name.to_owned(), json!({ "post": entry(name, en, zh) })))
            .collect::<Map<_, _>>(),
    )
}

fn entry(name: &str, en: &str, zh: &str) -> Value {
    let header = |name: &str, description: &str| {
        json!({ "name": name, "in": "header", "required": true, "description": description,
                "schema": { "type": "string" } })
    };
    // Generators name the receiver's handler after it.
    let id: String = name.split(['.', '_']).map(capitalised).collect();
    let (when, data) = triggers::find(name).map(|known| (known.when, known.data_text())).unwrap_or_default();
    json!({
        "operationId": format!("receive{id}"),
        // Not the tag of the operations on endpoints: openapi-generator writes one class for a tag, and would overwrite theirs.
        "tags": ["webhook events"],
        "summary": en,
        "description": format!(
            "`{name}` ({zh}). {when}\n\n{data}\n\nSent at least once, in no particular order: compare `webhook-id` and \
             `version`. It carries ids and codes; read the filing for the rest. Any 2xx answer within ten seconds counts as \
             received. Every status and step: `/docs/filing-workflow`."
        ),
        "parameters": [
            header("webhook-id", "Id of the event; the same for every try."),
            header("webhook-timestamp", "Seconds since 1970 of this try."),
            header("webhook-signature", "Signatures by the Standard Webhooks specification, separated by blanks."),
        ],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/FilingEvent" } } }
        },
        "responses": { "204": { "description": "Received." } },
        "security": [],
    })
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_visible_type_has_an_entry_and_a_short_summary() {
        let document = webhooks_document();
        let visible = event_types().iter().filter(|kind| kind.visibility == "applicant").count();
        assert_eq!(document.as_object().map(Map::len), Some(visible + 1));
        assert!(visible >= 26);
        assert_eq!(triggers::TRIGGERS.len(), visible + 1);
        let mut ids = std::collections::BTreeSet::new();
        for (name, item) in document.as_object().into_iter().flatten() {
            let summary = item["post"]["summary"].as_str().unwrap_or_default();
            assert!((1..=60).contains(&summary.chars().count()), "{name}");
            assert!(triggers::find(name).is_some_and(|known| known.when.len() > 20), "{name} has no trigger");
            let id = item["post"]["operationId"].as_str().unwrap_or_default();
            assert!(
                ids.insert(id.to_owned()) && id.chars().all(|c| c.is_ascii_alphanumeric()),
                "{name}: {id}"
            );
        }
    }

    #[test]
    fn a_test_event_has_the_form_of_all_others() {
        let event = test_event(Uuid::nil(), DateTime::UNIX_EPOCH);
        let schema = crate::openapi::document()["components"]["schemas"]["FilingEvent"]["required"].clone();
        let names: Vec<&str> = schema.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut sent: Vec<&str> =
            event.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let mut wanted = names;
        sent.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(sent, wanted);
    }
}
