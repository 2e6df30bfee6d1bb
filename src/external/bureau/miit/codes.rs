//! What the interface's return codes (`msg_code`) mean for us. Result codes of filings (1001 and so on) are data:
//! `src/catalogue/data/bureau_results.json`.

/// What to do about a return code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// 0: done.
    Done,
    /// 2: nothing lies ready.
    Nothing,
    /// 3: done, and more lies ready.
    More,
    /// 5: wrong password; 7: the password's hash does not fit. Nothing more may be sent: accounts get locked.
    Authentication,
    /// 14: files with lower numbers are missing.
    Gap,
    /// 20: outside the hours in which the bureau takes files.
    Window,
    /// 901, 902: maintenance.
    Maintenance,
    /// Anything else: not taken, and nobody but an operator can say why.
    Other,
}

/// The meaning of a code.
pub fn meaning(code: i64) -> Meaning {
    match code {
        0 => Meaning::Done,
        2 => Meaning::Nothing,
        3 => Meaning::More,
        5 | 7 => Meaning::Authentication,
        14 => Meaning::Gap,
        20 => Meaning::Window,
        901 | 902 => Meaning::Maintenance,
        _ => Meaning::Other,
    }
}

/// The result code of an approval.
const APPROVED: &str = "1001";

/// Whether a result code is a decision on a filing, and which: 1001 approves; 1002–1999 and 5001–5999 refuse.
pub fn is_approval(result_code: &str) -> Option<bool> {
    if result_code == APPROVED {
        return Some(true);
    }
    let code: u16 = result_code.parse().ok()?;
    matches!(code, 1002..=1999 | 5001..=5999).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_codes_decide() {
        assert_eq!(is_approval("1001"), Some(true));
        for refused in ["1002", "1999", "5001", "5999"] {
            assert_eq!(is_approval(refused), Some(false), "{refused}");
        }
        for other in ["", "0", "1000", "2000", "5000", "6000", "x", "01001"] {
            assert_eq!(is_approval(other), None, "{other}");
        }
    }

    #[test]
    fn password_faults_stop_and_maintenance_waits() {
        assert_eq!([5, 7].map(meaning), [Meaning::Authentication; 2]);
        assert_eq!([901, 902].map(meaning), [Meaning::Maintenance; 2]);
        assert_eq!([14, 20, 1].map(meaning), [Meaning::Gap, Meaning::Window, Meaning::Other]);
    }
}
