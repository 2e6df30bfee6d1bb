//! Certificates: form of the number by type, period of validity.

use chrono::{Months, NaiveDate};

use super::{Problem, codes, identity_number, social_credit_code};
use crate::catalogue::data::Entry;

/// How long the certificate of a responsible person must still be valid, in months.
pub const MIN_REMAINING_MONTHS: u32 = 3;

/// Every fault of a number. `certificate_type` is the dictionary's row; its attribute `number_format` names a number
/// with a check character, others are judged by length and characters only.
pub fn check_number(number: &str, certificate_type: &Entry, today: NaiveDate) -> Vec<Problem> {
    match certificate_type.text("number_format") {
        Some("resident_identity") => identity_number::check(number, today),
        Some("unified_social_credit") => social_credit_code::check(number).into_iter().collect(),
        _ => check_length_and_characters(number, certificate_type).into_iter().collect(),
    }
}

fn check_length_and_characters(number: &str, certificate_type: &Entry) -> Option<Problem> {
    let length = number.chars().count() as u64;
    let min = certificate_type.number("min_length").unwrap_or(1);
    let max = certificate_type.number("max_length").unwrap_or(30);
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || "-()（）〔〕[]".contains(c) || ('一'..='龥').contains(&c);
    (!(min..=max).contains(&length) || !number.chars().all(allowed)).then(|| {
        let (zh, en) = (&certificate_type.zh, &certificate_type.en);
        Problem::error(
            &codes::CERTIFICATE_NUMBER_FORMAT,
            format!("{zh}号码应为 {min} 至 {max} 个字母、数字或汉字，不含空格，现为 {length} 个字符"),
            format!(
                "the number of a {en} has {min} to {max} letters or digits without spaces; this has {length}"
            ),
            "请对照证件原件核对号码，并确认证件类型",
            "compare it with the certificate, and check the certificate's type",
        )
    })
}

/// Period of validity as it was filled in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// First day.
    pub valid_from: Option<NaiveDate>,
    /// Last day.
    pub valid_to: Option<NaiveDate>,
    /// Valid for ever.
    pub long_term: bool,
}

/// Which part of a [`Period`] a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodPart {
    /// The first day.
    ValidFrom,
    /// The last day.
    ValidTo,
}

/// Every fault of a period: contradictory, not begun, over, or over within `remaining_months` from `today`. The last
/// day still counts as valid.
pub fn check_period(period: Period, today: NaiveDate, remaining_months: u32) -> Vec<(PeriodPart, Problem)> {
    let mut problems = Vec::new();
    let mut add = |part, code, zh: String, en: String, fix_zh, fix_en| {
        problems.push((part, Problem::error(code, zh, en, fix_zh, fix_en)));
    };
    if let Some(from) = period.valid_from.filter(|from| *from > today) {
        add(
            PeriodPart::ValidFrom,
            &codes::CERTIFICATE_NOT_YET_VALID,
            format!("证件自 {from} 起才有效"),
            format!("the certificate is valid only from {from}"),
            "请核对起始日期，或使用现在有效的证件",
            "check the first date, or use a certificate that is valid now",
        );
    }
    match period.valid_to {
        None if !period.long_term => add(
            PeriodPart::ValidTo,
            &codes::CERTIFICATE_END_MISSING,
            "未填写证件有效期截止日，也未选择长期有效".to_owned(),
            "neither a last day nor “valid for ever” is given".to_owned(),
            "请填写证件上的截止日期；证件为“长期”时请选择长期有效",
            "enter the last day on the certificate, or choose valid for ever when it says 长期",
        ),
        None => {}
        Some(to) if period.long_term => add(
            PeriodPart::ValidTo,
            &codes::CERTIFICATE_END_AMBIGUOUS,
            format!("选择了长期有效，又填写了截止日 {to}"),
            format!("“valid for ever” is chosen although {to} is given as last day"),
            "请清空截止日，或取消长期有效",
            "empty the last day, or say that the certificate is not valid for ever",
        ),
        Some(to) if period.valid_from.is_some_and(|from| to <= from) => add(
            PeriodPart::ValidTo,
            &codes::CERTIFICATE_PERIOD_REVERSED,
            format!("截止日 {to} 不晚于起始日"),
            format!("the last day, {to}, is not after the first"),
            "请核对证件有效期的起止日期",
            "check both dates",
        ),
        Some(to) if to < today => add(
            PeriodPart::ValidTo,
            &codes::CERTIFICATE_EXPIRED,
            format!("证件已于 {to} 过期"),
            format!("the certificate expired on {to}"),
            "请换领新证后填写新的有效期并上传新证件",
            "have it renewed, then enter the new dates and upload the new certificate",
        ),
        Some(to)
            if today.checked_add_months(Months::new(remaining_months)).is_none_or(|least| to < least) =>
        {
            add(
                PeriodPart::ValidTo,
                &codes::CERTIFICATE_EXPIRES_SOON,
                format!("证件将于 {to} 到期，剩余有效期不足 {remaining_months} 个月"),
                format!("the certificate ends on {to}, in less than {remaining_months} months"),
                "请换领新证后填写新的有效期并上传新证件",
                "have it renewed, then enter the new dates and upload the new certificate",
            )
        }
        Some(_) => {}
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::data::dictionaries;
    use crate::filings::sample::{day, today};

    fn number(kind: &str, number: &str) -> Vec<&'static str> {
        let entry = dictionaries().find("person_certificate_type", kind).unwrap();
        check_number(number, entry, today()).into_iter().map(|problem| problem.code.code).collect()
    }

    #[test]
    fn numbers_are_judged_by_their_type() {
        assert!(number("resident_identity_card", "11010519491231002X").is_empty());
        assert_eq!(number("resident_identity_card", "E12345678"), ["identity_number_format"]);
        assert!(number("passport", "E12345678").is_empty());
        assert_eq!(number("passport", "E 2345678"), ["certificate_number_format"]);
        assert_eq!(number("passport", "E1"), ["certificate_number_format"]);
        assert_eq!(number("passport", &"E".repeat(21)), ["certificate_number_format"]);
    }

    fn period(from: Option<&str>, to: Option<&str>, long_term: bool) -> Vec<&'static str> {
        let period = Period { valid_from: from.map(day), valid_to: to.map(day), long_term };
        check_period(period, today(), MIN_REMAINING_MONTHS)
            .into_iter()
            .map(|(_, problem)| problem.code.code)
            .collect()
    }

    #[test]
    fn a_certificate_is_valid_three_months_more() {
        assert!(period(Some("2016-05-01"), Some("2027-02-23"), false).is_empty());
        assert_eq!(period(Some("2016-05-01"), Some("2027-02-22"), false), ["certificate_expires_soon"]);
        assert_eq!(period(Some("2016-05-01"), Some("2026-11-23"), false), ["certificate_expires_soon"]);
        assert_eq!(period(Some("2016-05-01"), Some("2026-11-22"), false), ["certificate_expired"]);
        assert!(period(Some("2016-05-01"), None, true).is_empty());
    }

    #[test]
    fn contradictory_periods_are_named() {
        assert_eq!(period(None, None, false), ["certificate_end_missing"]);
        assert_eq!(period(None, Some("2036-05-01"), true), ["certificate_end_ambiguous"]);
        assert_eq!(
            period(Some("2026-12-01"), Some("2026-12-01"), false),
            ["certificate_not_yet_valid", "certificate_period_reversed"]
        );
    }
}
