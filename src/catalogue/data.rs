//! The catalogue as shipped: typed rows of `data/*.json`, parsed once.
//!
//! A rule, a reason, a province's demand or a holiday is a row here and, after the seed, a row of a table. The
//! files are part of the program and the tests read every one of them, so the loaders may expect them to parse.

use std::sync::OnceLock;

use chrono::{DateTime, FixedOffset, NaiveDate};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::photo_verifications::precheck::BackdropProfile;

mod indexed;

pub use indexed::Named;

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Text {
    /// The text for a locale: `en`, or Chinese for anything else.
    pub fn get(&self, locale: &str) -> &str {
        if locale == "en" { &self.en } else { &self.zh }
    }
}

/// Puts the provider's name where a text says `{provider}` (prompts and photo guide).
pub fn with_provider(text: &str, provider_name: &str) -> String {
    text.replace("{provider}", provider_name)
}

/// A reason for a rejection (domain: rejections).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectionReason {
    /// Stable code, for example `SITE_NAME_INVALID`.
    pub code: String,
    /// `domain`, `site`, `person`, `material`, `photo` or `other`.
    pub group: String,
    /// What an item with this code may point at: `field`, `material`, `photo`; the usual one first.
    pub target_kinds: Vec<String>,
    /// What is wrong.
    pub title: Text,
    /// What to do.
    pub suggestion: Text,
    /// A page with an example.
    pub example_url: Option<String>,
}

/// A range of the bureau's result codes and the item it becomes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BureauResult {
    /// First code of the range.
    pub from_code: u16,
    /// Last code, included.
    pub to_code: u16,
    /// `field` or `material`.
    pub target_kind: String,
    /// JSON pointer of the field; none for a material.
    pub pointer: Option<String>,
    /// Code of a rejection reason.
    pub reason_code: String,
    /// What the bureau means.
    pub title: Text,
}

/// The bureau's result codes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BureauResults {
    /// Where the codes are described.
    pub source: String,
    /// Reason for a code outside every range.
    pub fallback_reason_code: String,
    /// Pointer for a code outside every range.
    pub fallback_pointer: String,
    /// Ranges, ascending, not overlapping.
    pub rows: Vec<BureauResult>,
}

impl BureauResults {
    /// The row for a result code; none means the fallback.
    pub fn find(&self, code: u16) -> Option<&BureauResult> {
        self.rows.iter().find(|row| (row.from_code..=row.to_code).contains(&code))
    }
}

/// An entry of a dictionary or of a list of statuses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Stable code.
    pub code: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// What rules need to know, for example `individual_allowed` of a service content; empty for most.
    #[serde(default)]
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

impl Entry {
    /// The label for a locale: `en`, or Chinese for anything else.
    pub fn label(&self, locale: &str) -> &str {
        if locale == "en" { &self.en } else { &self.zh }
    }

    /// A true/false attribute; absent is false.
    pub fn flag(&self, attribute: &str) -> bool {
        self.attributes.get(attribute).and_then(serde_json::Value::as_bool).unwrap_or(false)
    }

    /// A text attribute.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).and_then(serde_json::Value::as_str)
    }

    /// A number attribute.
    pub fn number(&self, attribute: &str) -> Option<u64> {
        self.attributes.get(attribute).and_then(serde_json::Value::as_u64)
    }

    /// A list-of-texts attribute; absent is empty.
    pub fn list(&self, attribute: &str) -> Vec<&str> {
        let values = self.attributes.get(attribute).and_then(serde_json::Value::as_array);
        values.map(|list| list.iter().filter_map(serde_json::Value::as_str).collect()).unwrap_or_default()
    }
}

/// How the cloth looks that applicants of a province are sent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippedBackdrop {
    /// Code of the province, or `default`.
    pub code: String,
    /// Where the numbers come from.
    pub source: String,
    /// How it looks.
    pub profile: BackdropProfile,
}

/// A courier company.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carrier {
    /// Kuaidi100's code of the company; our code too.
    pub code: String,
    /// Chinese name.
    pub zh: String,
    /// English name.
    pub en: String,
    /// Hotline.
    pub phone: String,
    /// Regular expression of its tracking numbers, deliberately loose.
    pub tracking_number_pattern: String,
}

/// What a state code of Kuaidi100 means for a tracker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackerCode {
    /// The carrier's raw code.
    pub raw_code: String,
    /// A status of the machine `tracking`.
    pub tracking: String,
}

/// A word or prefix that a website's name may not have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BannedName {
    /// The word.
    pub text: String,
    /// `prefix` (at the beginning) or `contains`.
    #[serde(rename = "match")]
    pub match_kind: String,
    /// `all`, `non_state` (subjects whose nature is not a state body) or `individual`.
    pub applies_to: String,
}

/// A document that a province asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvinceProof {
    /// Code of the dictionary `material`.
    pub material_code: String,
    /// Website fields whose change asks for it.
    pub triggers: Vec<String>,
    /// `any`, `individual` or `organisation`.
    pub applies_to: String,
    /// Why it is asked for.
    pub why: Text,
}

/// What a province asks for beyond the default. The row with the latest `effective_from` that is not in the future
/// counts; a province without a row asks for nothing extra: no SMS verification, no recheck, no proofs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvinceRule {
    /// GB/T 2260 code of the province.
    pub province_code: String,
    /// First day on which the row counts.
    pub effective_from: NaiveDate,
    /// The ministry's 24-hour SMS verification comes before the bureau's review.
    pub sms_verification: bool,
    /// The subject's responsible person confirms a code too, not only the website's.
    pub sms_subject_phone: bool,
    /// Rules apply as errors to unchanged fields as well.
    pub recheck_all: bool,
    /// Documents to ask for.
    pub proofs: Vec<ProvinceProof>,
    /// Where the rule was published.
    pub source: String,
}

/// A sentence of the photo guide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhotoGuideItem {
    /// Stable code.
    pub code: String,
    /// `demand`, `tip` or `limit`.
    pub kind: String,
    /// The sentence; may hold `{provider}`, see [`with_provider`].
    pub text: Text,
}

/// The photo guide.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhotoGuide {
    /// First day on which it counts.
    pub effective_from: NaiveDate,
    /// Where the demands come from.
    pub source: String,
    /// Heading.
    pub title: Text,
    /// File name of the example picture, see [`photo_guide_example`].
    pub example_asset: String,
    /// Smallest width in pixels.
    pub min_width: u32,
    /// Smallest height in pixels.
    pub min_height: u32,
    /// Largest file in bytes.
    pub max_bytes: u64,
    /// Media types.
    pub accepted_types: Vec<String>,
    /// Demands first, then tips, then limits.
    pub items: Vec<PhotoGuideItem>,
}

/// A point that a reviewer ticks off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecklistItem {
    /// `initial_review` or `photo_review`.
    pub stage: String,
    /// Stable code, unique within the stage.
    pub code: String,
    /// What to make sure of.
    pub label: Text,
}

/// A legal text that is accepted with its version.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalDocument {
    /// `service_terms` or `personal_information_consent`.
    pub kind: String,
    /// Version that is accepted, for example `2026-01`.
    pub version: String,
    /// From when it counts.
    pub effective_at: DateTime<FixedOffset>,
    /// Heading.
    pub title: Text,
    /// Plain text with line breaks.
    pub body: Text,
}

/// What a page says at a status.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// Status of a filing.
    pub status: String,
    /// `default`, or the sub-situation, for example `backdrop_shipped`.
    pub situation: String,
    /// `applicant` or `staff`.
    pub audience: String,
    /// Heading.
    pub title: Text,
    /// What to do or to expect; may hold `{provider}`, see [`with_provider`].
    pub text: Text,
}

/// A type of event: one table for timeline, webhooks and messages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventType {
    /// For example `initial_review.rejected`.
    pub event_type: String,
    /// `applicant` or `staff`.
    pub visibility: String,
    /// Channels of the applicant's message: `inbox`, `email`, `sms`.
    pub channels: Vec<String>,
    /// Label in the timeline.
    pub label: Text,
}

/// A named day of the official calendar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarDay {
    /// The date.
    pub on: NaiveDate,
    /// Holiday's Chinese name.
    pub zh: String,
    /// Holiday's English name.
    pub en: String,
}

/// The official calendar of a year.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarYear {
    /// The year.
    pub year: i32,
    /// The notice that published it.
    pub source: String,
    /// Its address.
    pub source_url: String,
    /// Days off, those on weekends included.
    pub days_off: Vec<CalendarDay>,
    /// Weekend days that are worked (调休).
    pub working_weekend_days: Vec<CalendarDay>,
}

#[derive(Deserialize)]
struct Rows<T> {
    rows: Vec<T>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LegalFile {
    documents: Vec<LegalDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarFile {
    years: Vec<CalendarYear>,
}

fn parse<T: DeserializeOwned>(name: &str, text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|fault| panic!("data/{name} is part of the program: {fault}"))
}

fn rows<T: DeserializeOwned>(name: &str, text: &str) -> Vec<T> {
    parse::<Rows<T>>(name, text).rows
}

/// Declares a loader that parses its file at the first call and keeps the result.
macro_rules! loader {
    ($(#[$doc:meta])* $name:ident -> $kept:ty as $shown:ty, $file:literal, $read:expr) => {
        $(#[$doc])*
        pub fn $name() -> &'static $shown {
            static KEPT: OnceLock<$kept> = OnceLock::new();
            KEPT.get_or_init(|| $read($file, include_str!(concat!("data/", $file))))
        }
    };
}

loader!(/// Reasons for rejections, in the order in which a reviewer's form shows them.
    rejection_reasons -> Vec<RejectionReason> as [RejectionReason], "rejection_reasons.json", rows);
loader!(/// The bureau's result codes and the items they become.
    bureau_results -> BureauResults as BureauResults, "bureau_results.json", parse);
loader!(/// Dictionaries by name: `service_content`, `language`, `person_certificate_type`,
    /// `organisation_certificate_type`, `subject_nature`, `pre_approval_type`, `access_method`, `service_kind`, `filing_kind`,
    /// `material`, `staff_role`, `actor`, `rejection_source`, `charged_to`, `reveal_purpose`, `action`, `blocked_by`.
    dictionaries -> Named as Named, "dictionaries.json", parse);
loader!(/// Statuses with labels by state machine: `filing`, `photo_verification`, `backdrop_shipment`, `tracking`,
    /// `bureau_submission`, `sms_verification`, `review`, `review_stage`, `attachment`, `notification`, `job`,
    /// `webhook_delivery`.
    statuses -> Named as Named, "statuses.json", parse);
loader!(/// How the provider's cloth looks, by province; `default` for the others.
    backdrop_profiles -> Vec<ShippedBackdrop> as [ShippedBackdrop], "backdrop_profiles.json", rows);
loader!(/// Courier companies.
    carriers -> Vec<Carrier> as [Carrier], "carriers.json", rows);
loader!(/// Kuaidi100's state codes.
    tracker_codes -> Vec<TrackerCode> as [TrackerCode], "tracker_codes.json", rows);
loader!(/// Words and prefixes that a website's name may not have.
    banned_names -> Vec<BannedName> as [BannedName], "banned_names.json", rows);
loader!(/// What provinces ask for beyond the default, by province and day.
    province_rules -> Vec<ProvinceRule> as [ProvinceRule], "province_rules.json", rows);
loader!(/// The photo guide.
    photo_guide -> PhotoGuide as PhotoGuide, "photo_guide.json", parse);
loader!(/// What reviewers tick off, by stage.
    review_checklists -> Vec<ChecklistItem> as [ChecklistItem], "review_checklists.json", rows);
loader!(/// What pages say, by status, situation and audience.
    prompts -> Vec<Prompt> as [Prompt], "prompts.json", rows);
loader!(/// Every type of event.
    event_types -> Vec<EventType> as [EventType], "event_types.json", rows);
loader!(/// Terms of service and the consent to the processing of personal information.
    legal_documents -> Vec<LegalDocument> as [LegalDocument], "terms.json",
    |name, text| parse::<LegalFile>(name, text).documents);
loader!(/// Official calendars, a row per year.
    calendar_years -> Vec<CalendarYear> as [CalendarYear], "calendar.json",
    |name, text| parse::<CalendarFile>(name, text).years);

/// The reason with a code.
pub fn rejection_reason(code: &str) -> Option<&'static RejectionReason> {
    rejection_reasons().iter().find(|reason| reason.code == code)
}

/// The event type with a name.
pub fn event_type(name: &str) -> Option<&'static EventType> {
    event_types().iter().find(|row| row.event_type == name)
}

/// Events that nobody can switch off: the bureau's decision has legal weight.
const MANDATORY: [&str; 2] = ["bureau.approved", "bureau.rejected"];

/// Whether users cannot switch messages about this event off.
pub fn is_mandatory(event_type: &str) -> bool {
    MANDATORY.contains(&event_type)
}

/// The rule row of a province that counts on a local date; none means the default (nothing extra).
pub fn province_rule(province_code: &str, on: NaiveDate) -> Option<&'static ProvinceRule> {
    let known = province_rules().iter().filter(|row| row.province_code == province_code);
    known.filter(|row| row.effective_from <= on).max_by_key(|row| row.effective_from)
}

/// The checklist of a review stage, in order.
pub fn checklist(stage: &str) -> impl Iterator<Item = &'static ChecklistItem> {
    review_checklists().iter().filter(move |item| item.stage == stage)
}

/// The prompt for a status; an unknown situation falls back to `default`.
pub fn prompt(status: &str, situation: &str, audience: &str) -> Option<&'static Prompt> {
    let find = |situation: &str| {
        let mut all = prompts().iter();
        all.find(|row| row.status == status && row.audience == audience && row.situation == situation)
    };
    find(situation).or_else(|| find("default"))
}

/// What a tracker's raw code of Kuaidi100 means; an unknown code says nothing.
pub fn tracking_of(raw_code: &str) -> Option<&'static str> {
    tracker_codes().iter().find(|row| row.raw_code == raw_code).map(|row| row.tracking.as_str())
}

/// The label of a status; the code itself when it is unknown, so that a page never stays empty.
pub fn status_label<'a>(machine: &str, code: &'a str, locale: &str) -> &'a str {
    statuses().find(machine, code).map_or(code, |entry| entry.label(locale))
}

/// The label of a dictionary's code; the code itself when it is unknown.
pub fn label<'a>(dictionary: &str, code: &'a str, locale: &str) -> &'a str {
    dictionaries().find(dictionary, code).map_or(code, |entry| entry.label(locale))
}

/// The example picture of the photo guide (JPEG, 900×1200), drawn by `assets/draw_photo_guide_example.py`.
pub fn photo_guide_example() -> &'static [u8] {
    include_bytes!("assets/photo-guide-example.jpg")
}

#[cfg(test)]
mod tests;
