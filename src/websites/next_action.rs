//! What a caller can do next with a resource: one shape for websites, filings and reviews, so that a page needs one button.

use serde::Serialize;
use utoipa::ToSchema;

use crate::catalogue::data;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{FilingId, WebsiteId};

/// Something that the caller can do, or what keeps them from it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NextAction {
    /// Code of the dictionary `action`; may grow.
    #[schema(example = "start_website_change")]
    pub action: String,
    /// Its label in the language of the request.
    #[schema(example = "变更网站信息")]
    pub label: String,
    /// The operation of this API that does it.
    #[schema(example = "createFiling")]
    pub operation_id: String,
    /// HTTP method.
    #[schema(example = "POST")]
    pub method: String,
    /// Address.
    #[schema(example = "/v1/filings")]
    pub href: String,
    /// Whether it is the one thing to offer first.
    pub is_primary: bool,
    /// Whether the state and the guards of its workflow let it happen now; `blocked_by` says what does not. The content is not
    /// checked here: `submit` and `edit_and_resubmit` are blocked by `no_changes` and `base_version_outdated`, but enabled while
    /// materials are missing or fields are wrong. `checkFiling` tells the findings that would refuse the submission.
    pub is_enabled: bool,
    /// What keeps the caller from it; empty when it is enabled.
    pub blocked_by: Vec<BlockedBy>,
}

/// What keeps a caller from an action.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BlockedBy {
    /// Code of the dictionary `blocked_by`; may grow.
    #[schema(example = "live_filing_exists")]
    pub code: String,
    /// Its label in the language of the request.
    pub label: String,
    /// The filing that stands in the way, where it is one.
    pub filing_id: Option<FilingId>,
}

impl NextAction {
    /// An action that can be done.
    pub fn new(
        locale: Locale,
        action: &str,
        operation_id: &str,
        method: &str,
        href: impl Into<String>,
    ) -> Self {
        Self {
            action: action.to_owned(),
            label: data::label("action", action, locale.as_str()).to_owned(),
            operation_id: operation_id.to_owned(),
            method: method.to_owned(),
            href: href.into(),
            is_primary: false,
            is_enabled: true,
            blocked_by: Vec::new(),
        }
    }

    /// The one thing to offer first.
    pub fn primary(mut self) -> Self {
        self.is_primary = true;
        self
    }

    /// The action cannot be done, and why.
    pub fn blocked(mut self, locale: Locale, code: &str, filing_id: Option<FilingId>) -> Self {
        self.is_enabled = false;
        let label = data::label("blocked_by", code, locale.as_str()).to_owned();
        self.blocked_by.push(BlockedBy { code: code.to_owned(), label, filing_id });
        self
    }
}

/// What an owner can do with a website: start a change, or go on with the live filing of its subject.
/// Staff get nothing: the website is not theirs.
pub fn of_website(locale: Locale, live: Option<(FilingId, WebsiteId)>) -> Vec<NextAction> {
    let start = NextAction::new(locale, "start_website_change", "createFiling", "POST", "/v1/filings");
    match live {
        None => vec![start.primary()],
        Some((filing, _)) => vec![
            NextAction::new(locale, "view_filing", "getFiling", "GET", format!("/v1/filings/{filing}"))
                .primary(),
            start.blocked(locale, "live_filing_exists", Some(filing)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_filing_of_the_subject_blocks_a_change_and_is_named() {
        let free = of_website(Locale::En, None);
        assert!(free[0].is_enabled && free[0].is_primary);
        assert_eq!(
            (free[0].action.as_str(), free[0].operation_id.as_str()),
            ("start_website_change", "createFiling")
        );
        let filing = FilingId::new();
        let blocked = of_website(Locale::ZhCn, Some((filing, WebsiteId::new())));
        let start = blocked.iter().find(|action| action.action == "start_website_change").unwrap();
        assert!(!start.is_enabled);
        assert_eq!(start.blocked_by[0].filing_id, Some(filing));
        assert_eq!(blocked.iter().filter(|action| action.is_primary).count(), 1);
        for action in free.iter().chain(&blocked) {
            assert_ne!(action.label, action.action, "an action without a label");
        }
    }
}
