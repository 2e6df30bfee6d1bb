//! Phones: mainland mobiles, fixed lines, and who may share them.

use super::{Problem, codes};

/// Number ranges of virtual operators: allowed, but bureaus often cannot reach them.
const VIRTUAL_OPERATORS: [&str; 5] = ["162", "165", "167", "170", "171"];

/// The fault of a mobile number, if any: `^1[3-9]\d{9}$`, with a warning for virtual operators.
pub fn check_mobile(number: &str) -> Option<Problem> {
    if !is_mobile(number) {
        return Some(Problem::error(
            &codes::MOBILE_FORMAT,
            "手机号码应为 11 位数字，以 13 至 19 开头，不含空格、区号或 +86".to_owned(),
            "a mobile is 11 digits beginning with 13 to 19, without spaces or +86".to_owned(),
            "请填写本人使用的中国大陆手机号码",
            "enter the person's own mobile in mainland China",
        ));
    }
    VIRTUAL_OPERATORS.contains(&&number[..3]).then(|| {
        Problem::warning(
            &codes::MOBILE_VIRTUAL_OPERATOR,
            format!("{} 开头的号码属于虚拟运营商，部分管局可能无法接通或不予认可", &number[..3]),
            format!(
                "numbers beginning with {} belong to virtual operators; some bureaus do not accept them",
                &number[..3]
            ),
            "建议使用基础运营商的手机号码",
            "prefer a number of one of the basic operators",
        )
    })
}

/// The fault of a phone that may be a mobile or a fixed line, if any: mobile, `0` area code and 7 or 8 digits with
/// an optional extension, or a 400 number.
pub fn check_phone(number: &str) -> Option<Problem> {
    (!is_mobile(number) && !is_fixed_line(number)).then(|| {
        Problem::error(
            &codes::PHONE_FORMAT,
            "电话号码应为 11 位手机号码，或带区号的固定电话，例如 010-12345678".to_owned(),
            "enter a mobile of 11 digits or a fixed line with its area code, such as 010-12345678".to_owned(),
            "请核对号码，固定电话请填写区号",
            "check the number; a fixed line needs its area code",
        )
    })
}

fn is_mobile(number: &str) -> bool {
    let bytes = number.as_bytes();
    bytes.len() == 11 && bytes[0] == b'1' && (b'3'..=b'9').contains(&bytes[1]) && all_digits(number)
}

fn is_fixed_line(number: &str) -> bool {
    let (area, rest) = match number.split_once('-') {
        Some((area, rest)) => (area, rest),
        // Without a hyphen the area code is 010, 02x or four digits.
        None if number.starts_with("01") || number.starts_with("02") => {
            number.split_at_checked(3).unwrap_or_default()
        }
        None if number.starts_with("400") => number.split_at_checked(3).unwrap_or_default(),
        None => number.split_at_checked(4).unwrap_or_default(),
    };
    if area == "400" {
        let digits: String = rest.chars().filter(|c| *c != '-').collect();
        return digits.len() == 7 && all_digits(&digits);
    }
    let (line, extension) = rest.split_once('-').unwrap_or((rest, "1"));
    area.starts_with('0')
        && (3..=4).contains(&area.len())
        && all_digits(area)
        && (7..=8).contains(&line.len())
        && all_digits(line)
        && (1..=6).contains(&extension.len())
        && all_digits(extension)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mobile(text: &str) -> Option<&'static str> {
        check_mobile(text).map(|problem| problem.code.code)
    }

    #[test]
    fn mobiles() {
        assert_eq!(mobile("13800138000"), None);
        assert_eq!(mobile("19912345678"), None);
        for prefix in VIRTUAL_OPERATORS {
            assert_eq!(mobile(&format!("{prefix}12345678")), Some("mobile_virtual_operator"));
        }
        for bad in [
            "",
            "12800138000",
            "1380013800",
            "138001380000",
            "+8613800138000",
            "138 0013 8000",
            "1380013800a",
            "１３８００１３８０００",
        ] {
            assert_eq!(mobile(bad), Some("mobile_format"), "{bad}");
        }
    }

    #[test]
    fn phones() {
        for good in [
            "13800138000",
            "010-12345678",
            "01012345678",
            "0755-1234567",
            "07551234567",
            "021-12345678-801",
            "400-123-4567",
            "4001234567",
        ] {
            assert!(check_phone(good).is_none(), "{good}");
        }
        for bad in [
            "",
            "110",
            "12345678",
            "010-123",
            "10-12345678",
            "0755-",
            "010-12345678-",
            "0一0-12345678",
            "电话",
        ] {
            assert!(check_phone(bad).is_some(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_number_of_the_plan_is_a_mobile(number in "1[3-9][0-9]{9}") {
            prop_assert!(check_mobile(&number).is_none_or(|problem| problem.severity == super::super::Severity::Warning));
            prop_assert!(check_phone(&number).is_none());
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,20}") {
            let _ = (check_mobile(&text), check_phone(&text));
        }
    }
}
