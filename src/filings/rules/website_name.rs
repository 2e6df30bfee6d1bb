//! The website's name.

use super::{Problem, codes};
use crate::catalogue::data::BannedName;

/// Least number of Chinese characters in a name.
pub const MIN_CHINESE: usize = 3;

/// Whose name it is: decides which banned words count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameOwner {
    /// The subject is a natural person.
    pub is_individual: bool,
    /// The subject is a body of the state.
    pub is_state_body: bool,
}

/// Every fault of the name.
pub fn check(name: &str, owner: NameOwner, banned: &[BannedName]) -> Vec<Problem> {
    let name = name.trim();
    let mut problems = Vec::new();
    if !name.is_empty() && name.chars().all(char::is_numeric) {
        problems.push(problem(
            &codes::NAME_ONLY_DIGITS,
            "网站名称不能为纯数字",
            "the name must not be only digits",
        ));
    } else if looks_like_domain(name) {
        problems.push(problem(
            &codes::NAME_IS_DOMAIN,
            &format!("网站名称“{name}”是域名"),
            &format!("the name {name:?} is a domain"),
        ));
    } else if chinese_characters(name) < MIN_CHINESE {
        let count = chinese_characters(name);
        problems.push(problem(
            &codes::NAME_TOO_FEW_CHINESE,
            &format!("网站名称至少包含 {MIN_CHINESE} 个汉字，现有 {count} 个"),
            &format!("the name needs at least {MIN_CHINESE} Chinese characters; it has {count}"),
        ));
    }
    for row in banned.iter().filter(|row| counts_for(row, owner)) {
        let word = &row.text;
        match row.match_kind.as_str() {
            "prefix" if name.starts_with(word.as_str()) => problems.push(problem(
                &codes::NAME_BANNED_PREFIX,
                &format!("网站名称不能以“{word}”开头"),
                &format!("the name must not begin with {word:?}"),
            )),
            "contains" if name.contains(word.as_str()) => problems.push(problem(
                &codes::NAME_BANNED_WORD,
                &format!("网站名称不能包含“{word}”"),
                &format!("the name must not contain {word:?}"),
            )),
            _ => {}
        }
    }
    problems
}

fn problem(code: &'static super::RuleCode, zh: &str, en: &str) -> Problem {
    Problem::error(
        code,
        zh.to_owned(),
        en.to_owned(),
        "请填写与网站内容相关、至少 3 个汉字的名称，例如“云上花店”",
        "choose a name of at least three Chinese characters that says what the website is about",
    )
}

fn counts_for(row: &BannedName, owner: NameOwner) -> bool {
    match row.applies_to.as_str() {
        "all" => true,
        "non_state" => !owner.is_state_body,
        "individual" => owner.is_individual,
        _ => false,
    }
}

fn chinese_characters(name: &str) -> usize {
    name.chars().filter(|c| matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{323af}' | '〇')).count()
}

/// True for a host with a known suffix, in ASCII or Unicode, with or without a scheme.
fn looks_like_domain(name: &str) -> bool {
    let host = name.split_once("://").map_or(name, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    host.contains('.')
        && crate::websites::patch::ascii_form(host)
            .is_some_and(|ascii| psl::suffix(ascii.as_bytes()).is_some_and(|suffix| suffix.is_known()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::data::banned_names;

    const COMPANY: NameOwner = NameOwner { is_individual: false, is_state_body: false };
    const PERSON: NameOwner = NameOwner { is_individual: true, is_state_body: false };
    const STATE: NameOwner = NameOwner { is_individual: false, is_state_body: true };

    fn codes_of(name: &str, owner: NameOwner) -> Vec<&'static str> {
        check(name, owner, banned_names()).into_iter().map(|problem| problem.code.code).collect()
    }

    #[test]
    fn plain_names_pass() {
        for good in ["云上花店", "小林的摄影日记", "ABC 云计算", "花店3.0版"] {
            assert_eq!(codes_of(good, COMPANY), [""; 0], "{good}");
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        assert_eq!(codes_of("花店", COMPANY), ["website_name_too_few_chinese"]);
        assert_eq!(codes_of("Flowers", COMPANY), ["website_name_too_few_chinese"]);
        assert_eq!(codes_of("12345", COMPANY), ["website_name_only_digits"]);
        assert_eq!(codes_of("１２３", COMPANY), ["website_name_only_digits"]);
        assert_eq!(codes_of("yunshang.com", COMPANY), ["website_name_is_domain"]);
        assert_eq!(codes_of("https://云上花店.中国/", COMPANY), ["website_name_is_domain"]);
    }

    #[test]
    fn banned_words_depend_on_who_owns_the_website() {
        assert_eq!(codes_of("中国云上花店", COMPANY), ["website_name_banned_prefix"]);
        assert_eq!(codes_of("中国云上花店", STATE), [""; 0]);
        assert_eq!(codes_of("云上中国花店", COMPANY), [""; 0], "a prefix counts at the beginning only");
        assert_eq!(codes_of("云上赌博花店", STATE), ["website_name_banned_word"]);
        assert_eq!(codes_of("云上花店论坛", PERSON), ["website_name_banned_word"]);
        assert_eq!(codes_of("云上花店论坛", COMPANY), [""; 0]);
    }
}
