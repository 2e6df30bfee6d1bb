//! Which findings block, which only warn, which are off: data of the admin, by code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Severity;

crate::text_enum! {
    /// What happens when a finding is made.
    pub enum PrecheckMode {
        /// The photo must be taken again.
        Block = "block",
        /// The reviewer sees a warning.
        Warn = "warn",
        /// Nobody hears of it.
        Off = "off",
    }
}

/// The switch of each code. A code that was not set has its default (domain: photo pre-check).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Switches(BTreeMap<String, PrecheckMode>);

/// The codes that block unless somebody decided otherwise.
const BLOCKING: &[&str] =
    &[super::TOO_SMALL, super::NO_FACE, super::SEVERAL_FACES, super::BACKDROP_MISSING, super::REUSED];

impl Switches {
    /// Every code that has a switch. `PHOTO_UNREADABLE` has none: it always blocks. `PHOTO_NOT_PERSON` is for humans only.
    pub const CODES: &'static [&'static str] = &[
        super::TOO_SMALL,
        super::NO_FACE,
        super::SEVERAL_FACES,
        super::NOT_CENTERED,
        super::NOT_UPPER_BODY,
        super::BACKDROP_MISSING,
        super::BACKDROP_CROPPED,
        super::TEXT_UNCLEAR,
        super::MIRRORED,
        super::CLOTHES_COLOUR,
        super::CLOTHES_SEASON,
        super::REUSED,
        super::EDITED,
        super::BLURRED,
        super::EXPOSURE,
    ];

    /// The default of a code.
    pub fn default_of(code: &str) -> PrecheckMode {
        match code {
            super::UNREADABLE => PrecheckMode::Block,
            _ if BLOCKING.contains(&code) => PrecheckMode::Block,
            _ => PrecheckMode::Warn,
        }
    }

    /// The switch of a code. `PHOTO_UNREADABLE` always blocks, whatever was set.
    pub fn get(&self, code: &str) -> PrecheckMode {
        match self.0.get(code) {
            Some(switch) if code != super::UNREADABLE => *switch,
            _ => Self::default_of(code),
        }
    }

    /// Sets the switch of a code; codes without a switch are left alone.
    pub fn set(&mut self, code: &str, switch: PrecheckMode) {
        if Self::CODES.contains(&code) {
            self.0.insert(code.to_owned(), switch);
        }
    }

    /// The severity that a finding of this code has; none when it is off.
    pub(super) fn severity(&self, code: &str) -> Option<Severity> {
        match self.get(code) {
            PrecheckMode::Block => Some(Severity::Block),
            PrecheckMode::Warn => Some(Severity::Warn),
            PrecheckMode::Off => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_blocks_what_the_domain_blocks_and_warns_otherwise() {
        let switches = Switches::default();
        let blocking: Vec<_> = Switches::CODES
            .iter()
            .filter(|code| switches.get(code) == PrecheckMode::Block)
            .copied()
            .collect();
        let wanted = [
            "PHOTO_TOO_SMALL",
            "PHOTO_NO_FACE",
            "PHOTO_SEVERAL_FACES",
            "PHOTO_BACKDROP_MISSING",
            "PHOTO_REUSED",
        ];
        assert_eq!(blocking, wanted);
        assert!(Switches::CODES.iter().all(|code| switches.get(code) != PrecheckMode::Off));
        assert_eq!(Switches::CODES.len(), 15);
    }

    #[test]
    fn a_switch_counts_except_for_what_cannot_be_read() {
        let mut switches = Switches::default();
        switches.set("PHOTO_BLURRED", PrecheckMode::Block);
        switches.set("PHOTO_NO_FACE", PrecheckMode::Off);
        switches.set("PHOTO_UNREADABLE", PrecheckMode::Off);
        assert_eq!(switches.severity("PHOTO_BLURRED"), Some(Severity::Block));
        assert_eq!(switches.severity("PHOTO_NO_FACE"), None);
        assert_eq!(switches.severity("PHOTO_UNREADABLE"), Some(Severity::Block));
    }

    #[test]
    fn each_code_has_its_texts() {
        for code in Switches::CODES.iter().chain([&super::super::UNREADABLE]) {
            let reason = crate::catalogue::data::rejection_reason(code).unwrap_or_else(|| panic!("{code}"));
            assert!(!reason.suggestion.zh.is_empty() && !reason.suggestion.en.is_empty(), "{code}");
        }
    }
}
