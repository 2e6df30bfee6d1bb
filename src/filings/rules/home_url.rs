//! The home page's address.

use validator::ValidateUrl;

use super::{Problem, codes};
use crate::websites::content::WebsiteDomain;
use crate::websites::patch::ascii_form;

/// The fault of the address alone, if any: `http` or `https`, a host, no user name.
pub fn check(url: &str) -> Option<Problem> {
    (!url.validate_url() || host(url).is_none()).then(|| {
        Problem::error(
            &codes::HOME_URL_INVALID,
            "首页网址应以 http:// 或 https:// 开头并包含主机名，不含空格、用户名".to_owned(),
            "the home page begins with http:// or https:// and a host, without spaces or user name"
                .to_owned(),
            "请填写浏览器中可以打开的首页地址，例如 https://www.example.com",
            "enter the address that opens in a browser, such as https://www.example.com",
        )
    })
}

/// A fault when the address is not on one of the domains, nor below one. Says nothing about an invalid address.
pub fn check_host(url: &str, domains: &[WebsiteDomain]) -> Option<Problem> {
    let host = host(url)?;
    let is_own = domains
        .iter()
        .filter_map(|domain| ascii_form(&domain.name))
        .any(|domain| host.strip_suffix(&domain).is_some_and(|sub| sub.is_empty() || sub.ends_with('.')));
    (!is_own && !domains.is_empty()).then(|| {
        let names: Vec<&str> = domains.iter().map(|domain| domain.name.as_str()).collect();
        Problem::error(
            &codes::HOME_URL_OTHER_DOMAIN,
            format!("主机名 {host} 不属于本网站的域名（{}）", names.join("、")),
            format!(
                "the host {host} is not one of the website's domains ({}) nor below one",
                names.join(", ")
            ),
            "请填写本网站域名下的首页网址，或保留该域名",
            "enter an address on one of the domains, or keep the domain",
        )
    })
}

/// The host in ASCII; None when the address is not plain http or https.
fn host(url: &str) -> Option<String> {
    let scheme = url.get(..8).filter(|head| head.eq_ignore_ascii_case("https://"));
    let scheme = scheme.or_else(|| url.get(..7).filter(|head| head.eq_ignore_ascii_case("http://")))?;
    let authority = url[scheme.len()..].split(['/', '?', '#', '\\']).next()?;
    if authority.contains('@') || url.contains(char::is_whitespace) {
        return None;
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    ascii_form(host.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filings::sample;

    #[test]
    fn addresses() {
        for good in [
            "https://www.example.com",
            "http://example.com/",
            "HTTPS://Example.com:8443/a?b#c",
            "https://例子.com",
        ] {
            assert!(check(good).is_none(), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https:///x",
            "https://u:p@example.com",
            "https://exa mple.com",
            "javascript:alert(1)",
            "http:// example.com",
        ] {
            assert!(check(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_host_is_a_domain_or_below_one() {
        let domains = sample::content().domains;
        for good in
            ["https://yunshanghuadian.com", "https://www.yunshanghuadian.com:8443/x", "https://WWW.例子.com"]
        {
            assert!(check_host(good, &domains).is_none(), "{good}");
        }
        for bad in
            ["https://evilyunshanghuadian.com", "https://yunshanghuadian.com.evil.cn", "https://example.com"]
        {
            assert!(check_host(bad, &domains).is_some(), "{bad}");
        }
        assert!(check_host("nonsense", &domains).is_none(), "that is the other rule's fault");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(https?://)?\\PC{0,30}") {
            let _ = (check(&text), check_host(&text, &sample::content().domains));
        }
    }
}
