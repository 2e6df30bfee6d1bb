//! Unified social credit code, GB 32100: 17 characters and a check character.

use super::{Problem, codes};

/// The standard's alphabet: digits and capitals without I, O, S, V and Z.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// The fault of the code, if any.
pub fn check(code: &str) -> Option<Problem> {
    let values: Option<Vec<usize>> =
        code.bytes().map(|byte| ALPHABET.iter().position(|known| *known == byte)).collect();
    match values {
        Some(values) if values.len() == 18 => {
            let sum: usize = values[..17].iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum();
            ((31 - sum % 31) % 31 != values[17]).then(|| {
                Problem::error(
                    &codes::SOCIAL_CREDIT_CODE_CHECKSUM,
                    "末位校验码与前 17 位不符，代码中至少有一位填写错误".to_owned(),
                    "the last character does not fit the others: at least one is mistyped".to_owned(),
                    "请对照证照原件逐位核对",
                    "compare it with the certificate, character by character",
                )
            })
        }
        _ => Some(Problem::error(
            &codes::SOCIAL_CREDIT_CODE_FORMAT,
            format!(
                "统一社会信用代码应为 18 位数字或大写字母（不含 I、O、S、V、Z），现为 {} 个字符",
                code.chars().count()
            ),
            format!(
                "18 digits or capitals without I, O, S, V, Z are expected; this has {} characters",
                code.chars().count()
            ),
            "请对照证照原件逐位核对",
            "compare it with the certificate, character by character",
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code_of(text: &str) -> Option<&'static str> {
        check(text).map(|problem| problem.code.code)
    }

    #[test]
    fn the_vector_passes_and_faults_are_named() {
        assert_eq!(code_of("9144030071526726XG"), None);
        assert_eq!(code_of("9144030071526726XH"), Some("social_credit_code_checksum"));
        for bad in
            ["", "9144030071526726X", "9144030071526726xg", "9144030071526726IG", "９144030071526726XG"]
        {
            assert_eq!(code_of(bad), Some("social_credit_code_format"), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_always_found(position in 0usize..18, value in 0usize..31) {
            let mut code = b"9144030071526726XG".to_vec();
            prop_assume!(code[position] != ALPHABET[value]);
            code[position] = ALPHABET[value];
            prop_assert!(check(&String::from_utf8(code).unwrap()).is_some());
        }
    }
}
