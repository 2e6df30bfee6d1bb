//! What a search box finds: texts that begin with what was typed.

/// What was typed, without the spaces around it; an empty box looks for nothing.
pub fn typed(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// The pattern of `LIKE` for texts with this beginning; `%` and `_` in it mean themselves. An index with `text_pattern_ops` serves it.
pub fn beginning(text: &str) -> String {
    format!("{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// The text of a `tsquery` for words with this beginning, letter by letter: for `array_to_tsvector` of a list of names, which keeps
/// each as a word of its own and which a GIN index serves. Names are lower case. `None` for what is longer than any domain
/// (253 characters, RFC 1035 2.3.4) and would be too long for a word (2046 bytes).
pub fn word_beginning(text: &str) -> Option<String> {
    let word = text.to_lowercase().replace('\\', "\\\\").replace('\'', "''");
    (text.chars().count() <= 253).then(|| format!("'{word}':*"))
}

#[cfg(test)]
mod tests {
    use super::{beginning, typed, word_beginning};

    #[test]
    fn signs_with_a_meaning_mean_themselves() {
        assert_eq!((typed(" x "), typed("  ")), (Some("x"), None));
        assert_eq!(beginning(r"50%_\"), r"50\%\_\\%");
        assert_eq!(word_beginning(r"O'Shop\ & !x").as_deref(), Some(r"'o''shop\\ & !x':*"));
        assert_eq!(word_beginning(&"x".repeat(254)), None);
    }
}
