//! Codes chosen from dictionaries: what a website offers, and its languages.

use super::{Problem, codes};
use crate::catalogue::data::Entry;

/// Most kinds of service content that a website may name.
pub const MAX_SERVICE_CONTENT: usize = 5;

/// Every fault of the chosen service content, with the index of the item that it is about; None: of the list.
/// An empty list is the business of the mandatory fields. The dictionary's attribute `individual_allowed` says what
/// an individual may choose.
pub fn check(chosen: &[String], allowed: &[Entry], is_individual: bool) -> Vec<(Option<usize>, Problem)> {
    let mut problems = check_codes(chosen, allowed);
    if chosen.len() > MAX_SERVICE_CONTENT {
        problems.push((
            None,
            Problem::error(
                &codes::SERVICE_CONTENT_TOO_MANY,
                format!("服务内容最多选择 {MAX_SERVICE_CONTENT} 项，现为 {} 项", chosen.len()),
                format!("at most {MAX_SERVICE_CONTENT} kinds may be chosen; these are {}", chosen.len()),
                "请保留与网站最相关的内容",
                "keep those that describe the website best",
            ),
        ));
    }
    let permitted = || allowed.iter().filter(|entry| entry.flag("individual_allowed"));
    for (index, code) in chosen.iter().enumerate().filter(|_| is_individual) {
        if let Some(entry) =
            allowed.iter().find(|entry| entry.code == *code && !entry.flag("individual_allowed"))
        {
            let zh: Vec<&str> = permitted().map(|entry| entry.zh.as_str()).collect();
            let en: Vec<&str> = permitted().map(|entry| entry.en.as_str()).collect();
            problems.push((
                Some(index),
                Problem::error(
                    &codes::SERVICE_CONTENT_NOT_FOR_INDIVIDUAL,
                    format!("个人网站不能选择“{}”，仅限：{}", entry.zh, zh.join("、")),
                    format!("an individual cannot choose “{}”, only: {}", entry.en, en.join(", ")),
                    "请改选个人网站允许的服务内容",
                    "choose what is open to individuals",
                ),
            ));
        }
    }
    problems
}

/// Unknown and repeated codes, with their index.
pub fn check_codes(chosen: &[String], allowed: &[Entry]) -> Vec<(Option<usize>, Problem)> {
    let mut problems = Vec::new();
    for (index, code) in chosen.iter().enumerate() {
        if let Some(problem) = check_code(code, allowed) {
            problems.push((Some(index), problem));
        } else if chosen[..index].contains(code) {
            problems.push((
                Some(index),
                Problem::error(
                    &codes::CODE_REPEATED,
                    format!("“{code}”重复选择"),
                    format!("{code:?} is chosen twice"),
                    "请删除重复项",
                    "remove one of them",
                ),
            ));
        }
    }
    problems
}

/// The fault of a code that its dictionary does not have.
pub fn check_code(code: &str, allowed: &[Entry]) -> Option<Problem> {
    allowed.iter().all(|entry| entry.code != code).then(|| {
        Problem::error(
            &codes::CODE_UNKNOWN,
            format!("“{code}”不在可选范围内"),
            format!("{code:?} is not in the dictionary"),
            "请从字典中选择",
            "choose from the dictionary",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::data::dictionaries;

    fn codes_of(chosen: &[&str], is_individual: bool) -> Vec<(Option<usize>, &'static str)> {
        let chosen: Vec<String> = chosen.iter().map(|code| (*code).to_owned()).collect();
        let allowed = dictionaries().list("service_content").unwrap();
        check(&chosen, allowed, is_individual)
            .into_iter()
            .map(|(index, problem)| (index, problem.code.code))
            .collect()
    }

    #[test]
    fn one_to_five_known_codes() {
        assert_eq!(codes_of(&["online_shopping", "other"], false), []);
        assert_eq!(
            codes_of(&["nonsense", "other", "other"], false),
            [(Some(0), "code_unknown"), (Some(2), "code_repeated")]
        );
        let six = ["other", "online_news", "online_music", "online_video", "online_games", "recruitment"];
        assert_eq!(codes_of(&six, false), [(None, "service_content_too_many")]);
    }

    #[test]
    fn an_individual_runs_a_blog_or_something_other() {
        assert_eq!(codes_of(&["blog_personal_space", "other"], true), []);
        assert_eq!(
            codes_of(&["other", "online_shopping"], true),
            [(Some(1), "service_content_not_for_individual")]
        );
    }
}
