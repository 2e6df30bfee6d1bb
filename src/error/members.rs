//! What problems of some codes say beside the members that all have: a closed list, in the schema `Problem` of the document.

use serde_json::{Map, Value, json};

/// A further member of problems.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// The codes whose problems can have it.
    pub codes: &'static [&'static str],
    meaning: &'static str,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Text,
    TextOrNull,
    TimeOrNull,
    Texts,
    Number,
}

macro_rules! members {
    ($($constant:ident $name:literal $form:ident $meaning:literal [$($code:literal),+];)+) => {
        $(
            #[doc = $meaning]
            pub static $constant: Member =
                Member { name: $name, codes: &[$($code),+], meaning: $meaning, form: Form::$form };
        )+
        /// Every further member, in the order of the schema.
        pub static ALL: &[&Member] = &[$(&$constant,)+];
    };
}

members! {
    CURRENT_STATUS "current_status" Text "Status or state that the object has now, and that does not let the step happen."
        ["invalid_transition", "base_version_outdated", "live_filing_exists", "live_attempt_exists", "open_shipment_exists",
         "unconfirmed", "late_event", "claimed_by_another", "assigned_to_another", "not_claimed"];
    ALLOWED_ACTIONS "allowed_actions" Texts "Names of the workflow's steps (not buttons) that are possible now; empty if none is."
        ["invalid_transition", "base_version_outdated", "live_filing_exists", "live_attempt_exists", "open_shipment_exists",
         "unconfirmed"];
    EXISTING_ID "existing_id" Text "Id of what exists already, if the caller may read it: of a filing, here."
        ["live_filing_exists", "duplicate"];
    CURRENT_VERSION "current_version" Number "Version that the object has now, as its `version` says. Read it again for its `ETag`."
        ["precondition_failed"];
    REQUIRED_SCOPE "required_scope" Text "The scope that the token lacks." ["insufficient_scope"];
    REASON "reason" Text "What is not as declared: `size_mismatch`, `checksum_mismatch`, `type_mismatch` or `malware`." ["upload_refused"];
    CLAIMED_BY "claimed_by" TextOrNull "Name of the reviewer who holds the task." ["claimed_by_another"];
    LEASE_EXPIRES_AT "lease_expires_at" TimeOrNull "Until when the task is held." ["claimed_by_another"];
    ASSIGNED_TO "assigned_to" TextOrNull "Name of the reviewer whom the task was assigned to." ["assigned_to_another"];
    DECIDED_BY "decided_by" TextOrNull "Name of the reviewer who decided the task; null when it was cancelled."
        ["invalid_transition"];
    DECIDED_AT "decided_at" TimeOrNull "When the task was decided; null when it was cancelled." ["invalid_transition"];
    PAUSE_REASON "pause_reason" TextOrNull "Why the bureau takes nothing." ["bureau_paused"];
    ERROR "error" Text "The error in the words of RFC 6749, for OAuth clients; of `POST /oauth/token` only."
        ["invalid_parameter", "invalid_grant", "invalid_scope", "unsupported_grant_type", "invalid_client",
         "client_paused", "address_not_allowed"];
}

impl Member {
    fn schema(&self) -> Value {
        let mut schema = match self.form {
            Form::Text => json!({ "type": "string" }),
            Form::TextOrNull => json!({ "type": ["string", "null"] }),
            Form::TimeOrNull => json!({ "type": ["string", "null"], "format": "date-time" }),
            Form::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Form::Number => json!({ "type": "integer", "format": "int32" }),
        };
        let codes: Vec<String> = self.codes.iter().map(|code| format!("`{code}`")).collect();
        schema["description"] = json!(format!("{} Only with {}.", self.meaning, codes.join(", ")));
        schema
    }
}

/// The members as properties of a schema. None is ever required.
pub fn properties() -> Map<String, Value> {
    ALL.iter().map(|member| (member.name.to_owned(), member.schema())).collect()
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use crate::error_codes;

    #[test]
    fn members_have_names_of_their_own_and_known_codes() {
        let mut names = std::collections::BTreeSet::new();
        for member in ALL {
            assert!(names.insert(member.name), "{} is listed twice", member.name);
            for code in member.codes {
                assert!(error_codes::find(code).is_some(), "{}: {code}", member.name);
            }
        }
    }
}
