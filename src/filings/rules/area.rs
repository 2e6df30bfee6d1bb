//! Areas by GB/T 2260: which provinces lie in mainland China.

use super::{Problem, codes};

/// True for the two first digits of a mainland province: 11–15 21–23 31–37 41–46 50–54 61–65.
pub fn is_mainland(prefix: &str) -> bool {
    matches!(prefix.parse::<u8>(), Ok(11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65))
}

/// The fault of a six-digit area code, if any. Whether the code exists and belongs to the level above is a question
/// for the table of divisions.
pub fn check(code: &str) -> Option<Problem> {
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Problem::error(
            &codes::AREA_UNKNOWN,
            format!("“{code}”不是 6 位行政区划代码"),
            format!("{code:?} is not an area code of six digits"),
            "请从地区列表中选择",
            "choose from the list of regions",
        ));
    }
    match &code[..2] {
        "71" | "81" | "82" => Some(Problem::error(
            &codes::AREA_NOT_MAINLAND,
            format!("{code} 属于台湾、香港或澳门，备案和幕布邮寄仅限中国大陆境内"),
            format!(
                "{code} is in Taiwan, Hong Kong or Macao; filings and parcels are for mainland China only"
            ),
            "请选择中国大陆境内的地区",
            "choose an area in mainland China",
        )),
        prefix if is_mainland(prefix) => None,
        prefix => Some(Problem::error(
            &codes::AREA_UNKNOWN,
            format!("省级代码 {prefix} 不存在"),
            format!("there is no province {prefix}"),
            "请从地区列表中选择",
            "choose from the list of regions",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thirty_one_mainland_provinces_pass() {
        let provinces: Vec<u8> = (0..=99).filter(|prefix| is_mainland(&format!("{prefix:02}"))).collect();
        assert_eq!(provinces.len(), 31);
        assert!(check("110105").is_none());
    }

    #[test]
    fn others_are_refused_by_name() {
        for code in ["710000", "810000", "820000"] {
            assert_eq!(check(code).unwrap().code.code, "area_not_mainland");
        }
        for code in ["", "99", "990000", "11010x", "一一"] {
            assert_eq!(check(code).unwrap().code.code, "area_unknown");
        }
    }
}
