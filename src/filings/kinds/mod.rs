//! The kinds of filings: each is a small description, and the pipeline knows nothing else about it. A new kind is a
//! new file here and a row in [`ALL`].

mod api;
pub mod website_change;

pub use api::routes;

use crate::filings::requirements::{Requirement, RequirementInput};
use crate::filings::rules::{CheckInput, Finding};
use crate::websites::fields::{FIELDS, Field};

/// What an approval does to the filed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalEffect {
    /// The content becomes the website's next filed version.
    NewWebsiteVersion,
}

/// Description of a kind of filing.
pub struct FilingKind {
    /// Stable code; its label is in the dictionary `filing_kind`.
    pub code: &'static str,
    /// Sections of the form (see [`crate::websites::fields::SECTIONS`]) that the applicant may edit.
    pub editable_sections: &'static [&'static str],
    /// Rules of this kind alone.
    pub guards: fn(&CheckInput<'_>) -> Vec<Finding>,
    /// Documents that a change needs.
    pub requirements: fn(&RequirementInput<'_>) -> Vec<Requirement>,
    /// What an approval does.
    pub on_approval: ApprovalEffect,
}

/// Every kind that is offered.
pub static ALL: &[&FilingKind] = &[&website_change::KIND];

/// The kind with a code.
pub fn find(code: &str) -> Option<&'static FilingKind> {
    ALL.iter().find(|kind| kind.code == code).copied()
}

impl FilingKind {
    /// The fields that the applicant may edit, in the order of the form.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        FIELDS.iter().filter(|field| self.editable_sections.contains(&field.section))
    }

    /// Pointers of the editable fields, as `editable_fields` of a filing shows them.
    pub fn editable_fields(&self) -> Vec<&'static str> {
        self.fields().map(|field| field.pointer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::data::dictionaries;

    #[test]
    fn every_kind_has_a_label_and_editable_fields() {
        for kind in ALL {
            assert!(dictionaries().find("filing_kind", kind.code).is_some(), "{}", kind.code);
            assert!(!kind.editable_fields().is_empty());
            assert!(std::ptr::eq(find(kind.code).unwrap(), *kind));
        }
        assert!(find("nonsense").is_none());
    }
}
