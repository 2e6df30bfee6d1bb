//! Every message renders in both languages, within the limits of its channel, and safely.

use super::*;
use crate::catalogue::data::event_types;

const LOCALES: [&str; 2] = ["zh-CN", "en"];

/// The applicant-visible events of domain.md section 8.
const EVENTS: &str = "filing.created filing.submitted filing.withdrawn filing.abandoned filing.expired \
    filing.reopened initial_review.passed initial_review.rejected photo.received photo.precheck_failed \
    photo.passed photo.rejected backdrop.requested backdrop.shipped backdrop.delivered backdrop.returned \
    backdrop.lost bureau.queued bureau.submitted bureau.approved bureau.rejected sms.started sms.reminder \
    sms.failed step.reminder website.updated";

fn vars() -> TemplateVars {
    TemplateVars {
        order_no: "BA-2026-000123".to_owned(),
        website_name: "山间书屋读书笔记".to_owned(),
        recipient_display_name: "张三".to_owned(),
        status_label: "待提交管局".to_owned(),
        provider_name: "示例云".to_owned(),
        link: "https://beian.example.com/filings/BA-2026-000123".to_owned(),
        due_at: Some("2026年10月8日 24:00（北京时间）".to_owned()),
        reason_titles: vec!["网站名称不符合规范".to_owned(), "证件或资料不清晰".to_owned()],
        carrier: Some("邮政快递包裹".to_owned()),
        tracking_number: Some("SF1234567890123".to_owned()),
    }
}

fn parts(rendered: &Rendered) -> [&str; 6] {
    let Rendered { subject, email_text, email_html, sms, inbox_title, inbox_body } = rendered;
    [subject, email_text, email_html, sms, inbox_title, inbox_body]
}

#[test]
fn every_event_renders_in_both_languages() {
    for event in EVENTS.split_whitespace() {
        for locale in LOCALES {
            let full = render(event, locale, &vars()).unwrap_or_else(|fault| panic!("{fault}"));
            for part in parts(&full) {
                assert!(!part.trim().is_empty(), "{event} {locale}: empty part");
                assert!(!part.contains(['{', '}']), "{event} {locale}: braces left in {part}");
                assert!(!part.contains("--- "), "{event} {locale}: a section mark is left in {part}");
                assert!(!part.contains("\n\n\n"), "{event} {locale}: a hole in {part}");
            }
            assert!(full.subject.contains("BA-2026-000123") && !full.subject.contains('\n'));
            assert!(
                full.email_html.contains("<a href=\"https://beian.example.com/filings/BA-2026-000123\">")
            );
            let limit = if locale == "en" { 160 } else { 70 };
            let length = full.sms.chars().count();
            assert!(length <= limit, "{event} {locale}: SMS has {length} characters: {}", full.sms);
            if event.ends_with("rejected") {
                assert!(
                    full.email_text.contains("2. 证件或资料不清晰"),
                    "{event} {locale} names its reasons"
                );
                assert!(full.inbox_body.contains("证件或资料不清晰"));
            }
        }
    }
}

#[test]
fn the_table_of_events_and_the_templates_agree() {
    let visible = event_types().iter().filter(|row| row.visibility == "applicant");
    let mut known: Vec<_> = visible.map(|row| row.event_type.as_str()).collect();
    let mut wanted: Vec<_> = EVENTS.split_whitespace().collect();
    known.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(known, wanted);
}

#[test]
fn optional_variables_may_be_absent_but_the_courier_may_not() {
    let bare =
        TemplateVars { due_at: None, reason_titles: vec![], carrier: None, tracking_number: None, ..vars() };
    for event in EVENTS.split_whitespace() {
        for locale in LOCALES {
            let rendered = render(event, locale, &bare);
            assert_eq!(rendered.is_err(), event == "backdrop.shipped", "{event} {locale}");
        }
    }
}

#[test]
fn english_texts_hold_no_chinese_of_their_own() {
    let latin = TemplateVars {
        website_name: "Books".to_owned(),
        recipient_display_name: "Zhang San".to_owned(),
        status_label: "Draft".to_owned(),
        provider_name: "Example Cloud".to_owned(),
        due_at: Some(due_text("2026-10-08T16:00:00Z".parse().expect("a time"), "en")),
        reason_titles: vec!["The photo is blurred".to_owned()],
        carrier: Some("SF Express".to_owned()),
        ..vars()
    };
    for event in EVENTS.split_whitespace() {
        let rendered = render(event, "en", &latin).expect("a message");
        for part in parts(&rendered) {
            assert!(!part.chars().any(|c| ('\u{3000}'..='\u{9fff}').contains(&c)), "{event}: {part}");
        }
    }
}

#[test]
fn names_can_neither_add_markup_nor_headers() {
    let hostile = TemplateVars {
        website_name: "<b>\"x\"</b>\r\nBcc: a@example.com {{ order_no }}".to_owned(),
        link: "javascript:alert(1)".to_owned(),
        ..vars()
    };
    let rendered = render("bureau.approved", "zh-CN", &hostile).expect("a message");
    assert!(!rendered.email_html.contains("<b>") && !rendered.email_html.contains("<a "));
    assert!(rendered.inbox_body.contains("{{ order_no }}"), "a value is text, never a template");
    for line in [&rendered.subject, &rendered.sms, &rendered.inbox_title] {
        assert!(!line.contains(['\r', '\n']), "{line}");
    }
    assert_eq!(one_line(" a\r\n b\u{0}c "), "a b c");
}

#[test]
fn account_mails_render_in_both_languages() {
    let vars = AccountVars {
        recipient_display_name: "张三".to_owned(),
        provider_name: "示例云".to_owned(),
        link: "https://beian.example.com/reset?token=abc&x=1".to_owned(),
        valid_minutes: 30,
    };
    for name in [
        "account.password_reset",
        "account.password_changed",
        "account.email_verification",
        "account.webhook_disabled",
    ] {
        for locale in LOCALES {
            let mail = render_account(name, locale, &vars).unwrap_or_else(|fault| panic!("{fault}"));
            assert!(mail.email_text.contains(&vars.link) && !mail.subject.is_empty());
            assert!(mail.email_html.contains("token=abc&amp;x=1\">"), "{name} {locale}");
            assert!(!mail.email_text.contains(['{', '}']));
        }
    }
    assert!(matches!(render_account("account.none", "en", &vars), Err(TextError::NoTemplate { .. })));
}

#[test]
fn deadlines_read_as_the_rules_say_them() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
    assert_eq!(due_text(at("2026-10-08T16:00:00Z"), "zh-CN"), "2026年10月8日 24:00（北京时间）");
    assert_eq!(due_text(at("2026-10-08T16:00:00Z"), "en"), "8 October 2026, 24:00 (Beijing time)");
    assert_eq!(due_text(at("2026-10-08T01:30:00Z"), "zh-CN"), "2026年10月8日 09:30（北京时间）");
}

#[test]
fn an_unknown_event_is_an_error_and_other_locales_are_chinese() {
    assert!(matches!(render("staff.only", "en", &vars()), Err(TextError::NoTemplate { .. })));
    let fallback = render("filing.submitted", "fr", &vars()).expect("a message");
    assert_eq!(fallback, render("filing.submitted", "zh-CN", &vars()).expect("a message"));
}

#[test]
fn the_code_for_a_mobile_fits_into_one_sms() {
    for (locale, limit) in [("zh-CN", 70), ("en", 160)] {
        let text = render_contact_code(locale, "示例云", "004211", 10).expect("a text");
        assert!(text.contains("004211") && text.contains("10") && text.contains("示例云"));
        assert!(text.chars().count() <= limit && !text.contains('\n'), "{text}");
    }
}

#[test]
fn a_lost_contact_is_named_masked_in_both_languages() {
    for (locale, words) in [("zh-CN", ["邮箱", "手机号码"]), ("en", ["e-mail address", "mobile"])] {
        for (channel, word) in [Channel::Email, Channel::Sms].into_iter().zip(words) {
            let (title, body) = render_undeliverable(locale, channel, "138****8000").expect("a text");
            assert!(title.contains(word) && body.contains(word), "{title}: {body}");
            assert!(body.contains("138****8000") && !body.contains('{'), "{body}");
        }
    }
}
