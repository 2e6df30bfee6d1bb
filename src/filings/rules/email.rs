//! E-mail addresses.

use validator::ValidateEmail;

use super::{Problem, codes};

/// The fault of an address, if any: HTML5's form, with a dot in the domain, since the bureau writes to it.
pub fn check(address: &str) -> Option<Problem> {
    let has_dot =
        address.rsplit_once('@').is_some_and(|(_, domain)| domain.contains('.') && !domain.starts_with('['));
    (!address.validate_email() || !has_dot).then(|| {
        Problem::error(
            &codes::EMAIL_FORMAT,
            "电子邮箱格式不正确，应类似 name@example.com".to_owned(),
            "not an e-mail address such as name@example.com".to_owned(),
            "请核对邮箱地址，不要包含空格或中文标点",
            "check the address; it has no spaces and no Chinese punctuation",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@example.com", "zhang.san+icp@mail.example.cn", "a@例子.中国"] {
            assert!(check(good).is_none(), "{good}");
        }
        for bad in [
            "",
            "a",
            "@example.com",
            "a@",
            "a@localhost",
            "a b@example.com",
            "a@example.com ",
            "a＠example.com",
            "a@[127.0.0.1]",
        ] {
            assert!(check(bad).is_some(), "{bad}");
        }
    }
}
