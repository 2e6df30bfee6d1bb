//! The rules on a website's data: pure functions, every problem at once.
//!
//! One file per family of rules; [`check`] asks them all. To add a rule: its code in [`codes`], its function with
//! its vectors beside it, and one `report` in [`check`].

pub mod area;
pub mod certificate;
mod check;
pub mod codes;
pub mod domain;
pub mod email;
pub mod home_url;
pub mod icp_number;
pub mod identity_number;
pub mod phone;
pub mod pre_approval;
pub mod service_content;
pub mod social_credit_code;
pub mod website_name;

pub(crate) use check::finding;
pub use check::{CheckInput, check};
pub use codes::RuleCode;

use crate::kernel::i18n::Bilingual;

crate::text_enum! {
    /// How grave a finding is.
    pub enum Severity {
        /// The filing cannot be submitted.
        Error = "error",
        /// The filing can be submitted; a reviewer may ask.
        Warning = "warning",
    }
}

/// What a rule says about a value, before it is known where the value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which rule.
    pub code: &'static RuleCode,
    /// How grave it is by itself.
    pub severity: Severity,
    /// What is wrong. Never repeats personal data.
    pub message: Bilingual,
    /// What to do.
    pub suggestion: Bilingual,
}

impl Problem {
    /// A problem that stops a submission; texts in Chinese and English, what is wrong and what to do.
    pub fn error(code: &'static RuleCode, zh: String, en: String, fix_zh: &str, fix_en: &str) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: Bilingual::new(zh, en),
            suggestion: Bilingual::new(fix_zh, fix_en),
        }
    }

    /// A problem that does not stop a submission.
    pub fn warning(code: &'static RuleCode, zh: String, en: String, fix_zh: &str, fix_en: &str) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, zh, en, fix_zh, fix_en) }
    }
}

/// A problem at its place in the filing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// JSON pointer into the filing, such as `/website/name`; `/subject/…` for what a website change cannot alter.
    pub pointer: String,
    /// Stable code, one of [`codes::ALL`].
    pub code: &'static str,
    /// Errors stop a submission.
    pub severity: Severity,
    /// What is wrong.
    pub message: Bilingual,
    /// What to do.
    pub suggestion: Bilingual,
    /// Where the rule comes from.
    pub source: codes::Source,
}

/// True when nothing stops a submission.
pub fn passes(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity == Severity::Warning)
}
