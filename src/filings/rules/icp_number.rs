//! ICP numbers: `京ICP备12345678号` of a subject, `京ICP备12345678号-1` of a website or app.

use super::{Problem, codes};

/// One character per province.
pub const PREFIXES: &str = "京津沪渝冀晋辽吉黑苏浙皖闽赣鲁豫鄂湘粤琼蜀黔滇陕陇青蒙桂宁新藏";

/// The fault of a subject's number, if any.
pub fn check_subject(number: &str) -> Option<Problem> {
    (split(number) != Some("")).then(|| problem(number, "京ICP备12345678号"))
}

/// The fault of a website's or app's number, if any: the subject's number, `-`, digits and sometimes a letter.
pub fn check_website(number: &str) -> Option<Problem> {
    let is_good = split(number).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| {
        let digits = rest.trim_end_matches(|c: char| c.is_ascii_uppercase());
        rest.len() - digits.len() <= 1
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    (!is_good).then(|| problem(number, "京ICP备12345678号-1"))
}

/// The subject's number in a website's number; None when it is not one.
pub fn subject_of(number: &str) -> Option<&str> {
    if check_website(number).is_some() {
        return None;
    }
    number.rsplit_once('-').map(|(subject, _)| subject)
}

/// What follows `号`, when what stands before it is a subject's number.
fn split(number: &str) -> Option<&str> {
    let (head, rest) = number.split_once('号')?;
    let prefix = head.chars().next()?;
    let digits = head[prefix.len_utf8()..].strip_prefix("ICP备")?;
    let is_good = PREFIXES.contains(prefix)
        && matches!(digits.len(), 8 | 10)
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_good.then_some(rest)
}

fn problem(number: &str, example: &str) -> Problem {
    Problem::error(
        &codes::ICP_NUMBER_FORMAT,
        format!("“{number}”不是备案号，应类似 {example}"),
        format!("{number:?} is not an ICP number such as {example}"),
        "请从工信部备案管理系统复制备案号：省份简称 + ICP备 + 8 或 10 位数字 + 号",
        "copy it from the ministry's system: province, ICP备, 8 or 10 digits, 号",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn real_numbers_pass() {
        assert_eq!(PREFIXES.chars().count(), 31);
        for number in ["京ICP备2021033841号", "粤ICP备12345678号"] {
            assert!(check_subject(number).is_none(), "{number}");
        }
        for number in ["京ICP备2021033841号-2", "鲁ICP备2021022006号-4A", "京ICP备12345678号-12"] {
            assert!(check_website(number).is_none(), "{number}");
        }
        assert_eq!(subject_of("鲁ICP备2021022006号-4A"), Some("鲁ICP备2021022006号"));
    }

    #[test]
    fn others_are_refused() {
        for bad in [
            "",
            "京ICP备1234567号",
            "京ICP备123456789号",
            "川ICP备12345678号",
            "京icp备12345678号",
            "京ICP备12345678",
            "京ICP备12345678号-1",
            " 京ICP备12345678号",
            "京ICP证12345678号",
        ] {
            assert!(check_subject(bad).is_some(), "{bad}");
        }
        for bad in [
            "京ICP备12345678号",
            "京ICP备12345678号-",
            "京ICP备12345678号-A",
            "京ICP备12345678号-1AB",
            "京ICP备12345678号-1a",
            "京ICP备12345678号1",
        ] {
            assert!(check_website(bad).is_some(), "{bad}");
            assert_eq!(subject_of(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,20}") {
            let _ = (check_subject(&text), check_website(&text), subject_of(&text));
        }
    }
}
