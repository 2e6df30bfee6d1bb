//! What the page of each code tells, from `pages.toml`: longer than the texts of the problems, for people.

use std::{collections::HashMap, sync::LazyLock};

use serde::Deserialize;

use super::ErrorCode;
use crate::kernel::i18n::Locale;

const FILE: &str = include_str!("pages.toml");

/// The texts of one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// What the code means.
    pub meaning: String,
    /// How it commonly comes about.
    pub cause: String,
    /// What to do.
    pub action: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    zh: Text,
    en: Text,
}

static PAGES: LazyLock<Result<HashMap<String, Page>, toml::de::Error>> =
    LazyLock::new(|| toml::from_str(FILE));

impl ErrorCode {
    /// What its page tells. A test holds the file to the list of codes, so there is always one.
    pub fn page(&self, locale: Locale) -> Option<&'static Text> {
        let page = PAGES.as_ref().ok()?.get(self.code)?;
        Some(match locale {
            Locale::ZhCn => &page.zh,
            Locale::En => &page.en,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::ALL;
    use super::*;

    fn pages() -> &'static HashMap<String, Page> {
        PAGES.as_ref().expect("the file can be read")
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let codes: BTreeSet<&str> = ALL.iter().map(|code| code.code).collect();
        let described: BTreeSet<&str> = pages().keys().map(String::as_str).collect();
        assert_eq!(described, codes);
    }

    #[test]
    fn every_page_has_all_texts_in_both_languages_and_none_is_used_twice() {
        let mut seen = BTreeSet::new();
        for (code, page) in pages() {
            for (language, text) in [("zh", &page.zh), ("en", &page.en)] {
                for (name, text) in
                    [("meaning", &text.meaning), ("cause", &text.cause), ("action", &text.action)]
                {
                    let place = format!("{code} {language}.{name}");
                    let is_chinese = text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
                    assert_eq!(is_chinese, language == "zh", "{place}: {text}");
                    assert!(text.chars().count() >= 10, "{place} is short: {text}");
                    assert!(text.ends_with(['.', '。']), "{place} does not end: {text}");
                    assert_eq!(text.matches('`').count() % 2, 0, "{place} has half a code: {text}");
                    assert!(seen.insert(text), "{place} stands elsewhere too: {text}");
                }
            }
        }
    }

    /// Addresses that a text names exist; so do the operations.
    #[test]
    fn operations_that_a_page_names_exist() {
        let document = crate::openapi::document();
        let mut count = 0;
        for (code, page) in pages() {
            for text in [&page.zh, &page.en].into_iter().flat_map(|t| [&t.meaning, &t.cause, &t.action]) {
                for word in text.split('`').skip(1).step_by(2) {
                    let Some((method, path)) = word.split_once(" /") else { continue };
                    let operation = &document["paths"][format!("/{path}")][method.to_lowercase()];
                    assert!(operation.is_object(), "{code} names {word}, which does not exist");
                    count += 1;
                }
            }
        }
        assert!(count > 40, "only {count} were looked at");
    }
}
