//! Domains: bare, lower case, valid by IDNA, registrable by the public suffix list.

use super::{Problem, codes};
use crate::websites::patch::ascii_form;

/// The fault of a domain in its ASCII form, if any.
pub fn check(name: &str) -> Option<Problem> {
    if name.contains("://") || name.contains(['/', ':', '?', '#', '@']) {
        return Some(problem(
            &codes::DOMAIN_HAS_SCHEME,
            name,
            "包含协议、端口或路径",
            "has a scheme, port or path",
        ));
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(problem(&codes::DOMAIN_NOT_LOWER_CASE, name, "含有大写字母", "is not in lower case"));
    }
    // Valid in both directions: what the ASCII form stands for must be a name again.
    let (_, unicode) = idna::domain_to_unicode(name);
    if ascii_form(name).as_deref() != Some(name) || unicode.is_err() || name.ends_with('.') {
        return Some(problem(
            &codes::DOMAIN_INVALID,
            name,
            "不是有效的域名（ASCII 形式）",
            "is not a valid domain in ASCII form",
        ));
    }
    let suffix = psl::suffix(name.as_bytes());
    if suffix.is_none_or(|suffix| !suffix.is_known()) {
        return Some(problem(
            &codes::DOMAIN_SUFFIX_UNKNOWN,
            name,
            "的后缀不存在",
            "has a suffix that does not exist",
        ));
    }
    match psl::domain_str(name) {
        Some(registrable) if registrable == name => None,
        Some(registrable) => Some(problem(
            &codes::DOMAIN_NOT_REGISTRABLE,
            name,
            &format!("是子域名，备案以主域名 {registrable} 为准"),
            &format!("is a subdomain; {registrable} is what is filed"),
        )),
        None => Some(problem(
            &codes::DOMAIN_NOT_REGISTRABLE,
            name,
            "是域名后缀，不能注册",
            "is a suffix, nobody can register it",
        )),
    }
}

fn problem(code: &'static super::RuleCode, name: &str, zh: &str, en: &str) -> Problem {
    Problem::error(
        code,
        format!("“{name}”{zh}"),
        format!("{name:?} {en}"),
        "请填写注册的主域名，小写，例如 example.com；中文域名使用 xn-- 形式",
        "enter the registered domain in lower case, such as example.com; Chinese ones in their xn-- form",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code_of(name: &str) -> Option<&'static str> {
        check(name).map(|problem| problem.code.code)
    }

    #[test]
    fn registrable_domains_pass() {
        for good in [
            "example.com",
            "example.com.cn",
            "example.cn",
            "xn--fsqu00a.com",
            "xn--fsqu00a.xn--fiqs8s",
            "163.com",
        ] {
            assert_eq!(code_of(good), None, "{good}");
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        for (bad, code) in [
            ("https://example.com", "domain_has_scheme"),
            ("example.com/", "domain_has_scheme"),
            ("example.com:8080", "domain_has_scheme"),
            ("Example.com", "domain_not_lower_case"),
            ("", "domain_invalid"),
            ("例子.com", "domain_invalid"),
            ("exa mple.com", "domain_invalid"),
            ("-example.com", "domain_invalid"),
            ("example.com.", "domain_invalid"),
            ("xn--a.com", "domain_invalid"),
            ("*.example.com", "domain_invalid"),
            ("example.nosuchsuffix", "domain_suffix_unknown"),
            ("127.0.0.1", "domain_suffix_unknown"),
            ("www.example.com.cn", "domain_not_registrable"),
            ("com.cn", "domain_not_registrable"),
        ] {
            assert_eq!(code_of(bad), Some(code), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,40}") {
            let _ = check(&text);
        }
    }
}
