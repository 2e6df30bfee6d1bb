//! The shipped rows are complete in both languages, name nothing twice, and refer only to what exists.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

use super::*;

fn once<K: Eq + Hash + Debug>(what: &str, keys: impl IntoIterator<Item = K>) {
    let mut seen = HashSet::new();
    for key in keys {
        assert!(!format!("{key:?}").contains("\"\""), "{what}: empty key {key:?}");
        let shown = format!("{key:?}");
        assert!(seen.insert(key), "{what}: {shown} stands twice");
    }
    assert!(!seen.is_empty(), "{what} is empty");
}

fn both(what: &str, zh: &str, en: &str) {
    assert!(!zh.trim().is_empty() && !en.trim().is_empty(), "{what}: a language is missing");
    let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    assert!(!is_chinese(en), "{what}: Chinese in the English text {en}");
    for text in [zh, en] {
        let rest = text.replace("{provider}", "");
        assert!(!rest.contains(['{', '}']), "{what}: unknown placeholder in {text}");
    }
}

fn text(what: &str, text: &Text) {
    both(what, &text.zh, &text.en);
}

#[test]
fn every_reason_is_complete() {
    once("reasons", rejection_reasons().iter().map(|row| &row.code));
    for row in rejection_reasons() {
        text(&row.code, &row.title);
        text(&row.code, &row.suggestion);
        assert!(!row.target_kinds.is_empty());
        assert!(row.target_kinds.iter().all(|kind| ["field", "material", "photo"].contains(&kind.as_str())));
    }
    let wanted = "DOMAIN_HOLDER_MISMATCH DOMAIN_NOT_REALNAME DOMAIN_EXPIRING REGISTRAR_NOT_APPROVED SITE_NAME_INVALID \
        SITE_NAME_UNRELATED SITE_CONTENT_INVALID SITE_UNREACHABLE ICP_FOOTER_MISSING PRE_APPROVAL_MISSING NOT_LEGAL_REP \
        AUTH_LETTER_MISSING PHONE_UNREACHABLE PHONE_REUSED EMERGENCY_SAME EMAIL_REUSED CERT_UNCLEAR CERT_INCOMPLETE \
        CERT_EXPIRED CERT_COPY FORM_MISSING PHOTO_UNREADABLE PHOTO_TOO_SMALL PHOTO_NO_FACE PHOTO_SEVERAL_FACES \
        PHOTO_NOT_CENTERED PHOTO_NOT_UPPER_BODY PHOTO_BACKDROP_MISSING PHOTO_BACKDROP_CROPPED PHOTO_TEXT_UNCLEAR \
        PHOTO_MIRRORED PHOTO_CLOTHES_COLOUR PHOTO_CLOTHES_SEASON PHOTO_REUSED PHOTO_EDITED PHOTO_BLURRED \
        PHOTO_EXPOSURE PHOTO_NOT_PERSON OTHER";
    let known: Vec<_> = rejection_reasons().iter().map(|row| row.code.as_str()).collect();
    assert_eq!(known, wanted.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn every_bureau_result_leads_to_a_known_reason() {
    let results = bureau_results();
    assert!(rejection_reason(&results.fallback_reason_code).is_some());
    let mut last = 1002;
    for row in &results.rows {
        text(&row.reason_code, &row.title);
        assert!(last < row.from_code && row.from_code <= row.to_code, "{} overlaps", row.from_code);
        last = row.to_code;
        let reason = rejection_reason(&row.reason_code).expect("a known reason");
        assert!(
            reason.target_kinds.contains(&row.target_kind),
            "{} on a {}",
            row.reason_code,
            row.target_kind
        );
    }
    assert_eq!(results.find(1056).map(|row| row.target_kind.as_str()), Some("material"));
    assert!(results.find(1500).is_none());
}

#[test]
fn every_dictionary_and_status_has_both_languages() {
    for (what, named) in [("dictionaries", dictionaries()), ("statuses", statuses())] {
        once(what, named.all().map(|(name, _)| name));
        for (name, entries) in named.all() {
            once(name, entries.iter().map(|entry| &entry.code));
            for entry in entries {
                both(&format!("{name}/{}", entry.code), &entry.zh, &entry.en);
            }
        }
    }
    assert_eq!(statuses().list("filing").map(<[Entry]>::len), Some(14));
    assert_eq!(status_label("filing", "bureau_review", "zh-CN"), "管局审核中");
    assert_eq!(label("action", "withdraw", "en"), "Withdraw");
    assert_eq!(label("action", "no_such", "en"), "no_such");
    let natures = dictionaries().list("subject_nature").expect("natures");
    for entry in dictionaries().list("organisation_certificate_type").expect("certificate types") {
        for nature in entry.list("natures") {
            assert!(natures.iter().any(|known| known.code == nature), "{}: {nature}", entry.code);
        }
    }
    assert!(
        dictionaries()
            .find("service_content", "blog_personal_space")
            .is_some_and(|e| e.flag("individual_allowed"))
    );
}

#[test]
fn couriers_names_and_checklists_are_unique() {
    once("carriers", carriers().iter().map(|row| &row.code));
    carriers().iter().for_each(|row| both(&row.code, &row.zh, &row.en));
    once("tracker codes", tracker_codes().iter().map(|row| &row.raw_code));
    for row in tracker_codes() {
        assert!(statuses().find("tracking", &row.tracking).is_some(), "{}", row.tracking);
    }
    assert_eq!((tracking_of("14"), tracking_of("99")), (Some("returned"), None));
    once("banned names", banned_names().iter().map(|row| (&row.text, &row.match_kind, &row.applies_to)));
    for row in banned_names() {
        assert!(["prefix", "contains"].contains(&row.match_kind.as_str()));
        assert!(["all", "non_state", "individual"].contains(&row.applies_to.as_str()));
    }
    once("checklists", review_checklists().iter().map(|item| (&item.stage, &item.code)));
    for item in review_checklists() {
        text(&item.code, &item.label);
        assert!(statuses().find("review_stage", &item.stage).is_some());
    }
    assert!(checklist("initial_review").count() > 5);
}

#[test]
fn province_rules_have_a_source_and_count_from_their_day() {
    once("province rules", province_rules().iter().map(|row| (&row.province_code, row.effective_from)));
    for row in province_rules() {
        assert!(row.province_code.len() == 6 && row.province_code.ends_with("0000"));
        assert!(!row.source.is_empty());
        for proof in &row.proofs {
            text(&row.province_code, &proof.why);
            assert!(
                dictionaries().find("material", &proof.material_code).is_some(),
                "{}",
                proof.material_code
            );
            assert!(["any", "individual", "organisation"].contains(&proof.applies_to.as_str()));
        }
    }
    let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
    assert!(province_rule("330000", day("2018-09-09")).is_none());
    assert!(province_rule("330000", day("2018-09-10")).is_some_and(|row| row.sms_verification));
    assert!(province_rule("110000", day("2026-11-01")).is_none());
}

#[test]
fn every_status_has_a_prompt_for_both_audiences() {
    once("prompts", prompts().iter().map(|row| (&row.status, &row.situation, &row.audience)));
    for row in prompts() {
        text(&row.status, &row.title);
        text(&row.status, &row.text);
        assert!(statuses().find("filing", &row.status).is_some(), "{}", row.status);
    }
    for status in statuses().list("filing").expect("statuses") {
        for audience in ["applicant", "staff"] {
            let found = prompt(&status.code, "no_such_situation", audience);
            assert_eq!(
                found.map(|row| row.situation.as_str()),
                Some("default"),
                "{} {audience}",
                status.code
            );
        }
    }
}

#[test]
fn guide_terms_and_events_are_complete() {
    let guide = photo_guide();
    text("photo guide", &guide.title);
    once("photo guide", guide.items.iter().map(|item| &item.code));
    guide.items.iter().for_each(|item| text(&item.code, &item.text));
    assert_eq!(
        guide.items.iter().filter(|item| item.kind == "demand").count(),
        4,
        "demands a to d of the seed"
    );
    assert_eq!(guide.example_asset, "photo-guide-example.jpg");
    assert!(
        photo_guide_example().starts_with(&[0xff, 0xd8, 0xff]) && photo_guide_example().len() <= 150 * 1024
    );
    once("legal documents", legal_documents().iter().map(|row| (&row.kind, &row.version)));
    for row in legal_documents() {
        text(&row.kind, &row.title);
        text(&row.kind, &row.body);
    }
    once("event types", event_types().iter().map(|row| &row.event_type));
    for row in event_types() {
        text(&row.event_type, &row.label);
        assert!(["applicant", "staff"].contains(&row.visibility.as_str()));
        assert!(row.channels.iter().all(|channel| ["inbox", "email", "sms"].contains(&channel.as_str())));
    }
}

#[test]
fn the_calendar_stands_on_the_right_weekdays() {
    use chrono::{Datelike, Weekday};
    once("calendar", calendar_years().iter().map(|row| row.year));
    assert_eq!(calendar_years().iter().map(|row| row.year).collect::<Vec<_>>(), [2025, 2026]);
    for year in calendar_years() {
        once("days", year.days_off.iter().chain(&year.working_weekend_days).map(|day| day.on));
        for day in year.days_off.iter().chain(&year.working_weekend_days) {
            both("calendar", &day.zh, &day.en);
            assert_eq!(day.on.year(), year.year);
        }
        for day in &year.working_weekend_days {
            assert!(matches!(day.on.weekday(), Weekday::Sat | Weekday::Sun), "{} is no weekend day", day.on);
        }
        // Each make-up day pays for a weekday off: what is left are the statutory days that fall on weekdays.
        let weekdays_off = |day: &&CalendarDay| !matches!(day.on.weekday(), Weekday::Sat | Weekday::Sun);
        let net = year.days_off.iter().filter(weekdays_off).count() - year.working_weekend_days.len();
        assert_eq!(net, 13, "statutory holidays of {}", year.year);
    }
}
