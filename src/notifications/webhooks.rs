//! The events in the OpenAPI document: what partners' receivers get, one entry for each type that owners may see.

use serde_json::{Map, Value, json};

use crate::catalogue::data::{EventType, event_types};

/// The `webhooks` object of the OpenAPI document. The schema `FilingEvent` is the timeline's.
pub fn webhooks_document() -> Value {
    let visible = event_types().iter().filter(|kind| kind.visibility == "applicant");
    Value::Object(
        visible.map(|kind| (kind.event_type.clone(), json!({ "post": entry(kind) }))).collect::<Map<_, _>>(),
    )
}

fn entry(kind: &EventType) -> Value {
    let header = |name: &str, description: &str| {
        json!({ "name": name, "in": "header", "required": true, "description": description,
                "schema": { "type": "string" } })
    };
    json!({
        "tags": ["notifications"],
        "summary": kind.label.en,
        "description": format!(
            "`{}` ({}). Sent at least once: compare `webhook-id`. It carries ids and codes; read the filing for the rest. \
             Any 2xx answer counts as received.",
            kind.event_type, kind.label.zh
        ),
        "parameters": [
            header("webhook-id", "Id of the event; the same for every try."),
            header("webhook-timestamp", "Seconds since 1970 of this try."),
            header("webhook-signature", "Signatures by the Standard Webhooks specification."),
        ],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/FilingEvent" } } }
        },
        "responses": { "204": { "description": "Received." } },
        "security": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_visible_type_has_an_entry_and_a_short_summary() {
        let document = webhooks_document();
        let visible = event_types().iter().filter(|kind| kind.visibility == "applicant").count();
        assert_eq!(document.as_object().map(Map::len), Some(visible));
        assert!(visible >= 26);
        for (name, item) in document.as_object().into_iter().flatten() {
            let summary = item["post"]["summary"].as_str().unwrap_or_default();
            assert!((1..=60).contains(&summary.chars().count()), "{name}");
            assert!(item["post"].get("operationId").is_none(), "{name}");
        }
    }
}
