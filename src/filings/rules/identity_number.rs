//! Resident identity number, GB 11643: area (6), birth date (8), sequence (3), check character.

use chrono::{Months, NaiveDate};

use super::{Problem, area, codes};

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: &[u8; 11] = b"10X98765432";

/// Youngest age of a responsible person, in years.
pub const MIN_AGE_YEARS: u32 = 18;

/// Every fault of the number. `today` is the local date: nobody is born later.
pub fn check(number: &str, today: NaiveDate) -> Vec<Problem> {
    let bytes = number.as_bytes();
    if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) || !is_check(bytes[17]) {
        return vec![Problem::error(
            &codes::IDENTITY_NUMBER_FORMAT,
            format!("身份证号码应为 17 位数字加 1 位数字或大写 X，现为 {} 个字符", number.chars().count()),
            format!(
                "an identity number is 17 digits and a digit or X; this has {} characters",
                number.chars().count()
            ),
            "请对照身份证原件逐位核对，末位 X 请使用大写",
            "compare it with the card; write a last X in upper case",
        )];
    }
    let mut problems = Vec::new();
    if !area::is_mainland(&number[..2]) {
        problems.push(Problem::error(
            &codes::IDENTITY_NUMBER_PROVINCE,
            format!("前两位 {} 不是中国大陆省级代码", &number[..2]),
            format!("the first two digits, {}, are no mainland province", &number[..2]),
            "请核对前 6 位；港澳台居民请选择对应的证件类型",
            "check the first six digits; residents of Hong Kong, Macao and Taiwan choose their own certificate type",
        ));
    }
    if birth_date(number).is_none_or(|born| born > today || born < OLDEST) {
        problems.push(Problem::error(
            &codes::IDENTITY_NUMBER_BIRTH_DATE,
            "第 7 至 14 位不是真实的出生日期".to_owned(),
            "digits 7 to 14 are no real birth date".to_owned(),
            "请核对第 7 至 14 位（年月日）",
            "check digits 7 to 14 (year, month, day)",
        ));
    }
    if check_character(&bytes[..17]) != bytes[17] {
        problems.push(Problem::error(
            &codes::IDENTITY_NUMBER_CHECKSUM,
            "末位校验码与前 17 位不符，号码中至少有一位填写错误".to_owned(),
            "the last character does not fit the others: at least one is mistyped".to_owned(),
            "请对照身份证原件逐位核对",
            "compare it with the card, digit by digit",
        ));
    }
    problems
}

/// A fault when the holder of a well-formed number is younger than 18 on `today`.
pub fn check_age(number: &str, today: NaiveDate) -> Option<Problem> {
    let adult_on = birth_date(number)?.checked_add_months(Months::new(12 * MIN_AGE_YEARS))?;
    (today < adult_on).then(|| {
        Problem::error(
            &codes::PERSON_UNDER_AGE,
            format!("负责人至 {today} 未满 {MIN_AGE_YEARS} 周岁"),
            format!("the person is under {MIN_AGE_YEARS} on {today}"),
            "请更换为已满 18 周岁的负责人",
            "name a person who is 18 or older",
        )
    })
}

/// The birth date in the number; None when there is no real date.
pub fn birth_date(number: &str) -> Option<NaiveDate> {
    let digits = number.get(6..14)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    NaiveDate::from_ymd_opt(digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?)
}

/// The standard's numbers exist since 1984; nobody alive was born before 1900.
const OLDEST: NaiveDate = NaiveDate::from_ymd_opt(1900, 1, 1).expect("a date");

fn is_check(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'X'
}

fn check_character(digits: &[u8]) -> u8 {
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    CHECKS[(sum % 11) as usize]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filings::sample::{day, today};

    fn codes_of(number: &str) -> Vec<&'static str> {
        check(number, today()).into_iter().map(|problem| problem.code.code).collect()
    }

    #[test]
    fn good_numbers_pass() {
        for number in ["11010519491231002X", "440301199001010012"] {
            assert_eq!(codes_of(number), [""; 0], "{number}");
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        for number in [
            "",
            "1101051949123100",
            "11010519491231002x",
            "1101051949123100２X",
            "11010519491231002XX",
            "é1010519491231002",
        ] {
            assert_eq!(codes_of(number), ["identity_number_format"], "{number}");
        }
        assert_eq!(codes_of("110105194912310021"), ["identity_number_checksum"]);
        assert!(codes_of("11010519491331002X").contains(&"identity_number_birth_date"), "no month 13");
        assert!(codes_of("11010520990101002X").contains(&"identity_number_birth_date"), "not born yet");
        assert!(codes_of("11010518000101002X").contains(&"identity_number_birth_date"), "nobody is that old");
        assert!(codes_of("91010519491231002X").contains(&"identity_number_province"));
        assert!(codes_of("71010519491231002X").contains(&"identity_number_province"));
    }

    #[test]
    fn a_person_is_of_age_on_the_eighteenth_birthday() {
        assert!(check_age("440301200811230012", day("2026-11-22")).is_some());
        assert!(check_age("440301200811230012", day("2026-11-23")).is_none());
        assert!(check_age("nonsense", today()).is_none());
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_always_found(position in 0usize..17, digit in 0u8..10) {
            let mut number = b"11010519491231002X".to_vec();
            prop_assume!(number[position] != b'0' + digit);
            number[position] = b'0' + digit;
            let number = String::from_utf8(number).unwrap();
            prop_assert!(codes_of(&number).contains(&"identity_number_checksum"));
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,20}") {
            let _ = (check(&text, today()), check_age(&text, today()));
        }
    }
}
