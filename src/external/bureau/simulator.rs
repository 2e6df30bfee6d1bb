//! A simulated bureau, for trying out. It accepts at once and decides a few seconds later. Words in the filing steer it:
//!
//! | where | word | what happens |
//! |---|---|---|
//! | website name | `驳回` | refused with result code 1020, which points at `/website/name` |
//! | remark | `sim:refuse-package` | the package is not taken (result code 1055) |
//! | remark | `sim:offline` | sending fails for certain each time, until the submission has failed |
//! | remark | `sim:timeout` | no reply, and the bureau's record does not answer either: unconfirmed |
//! | remark | `sim:lost-reply` | no reply, but the bureau's record has the package |
//! | remark | `sim:lost-package` | the first attempt gets no reply and the record does not know it: sent again |
//! | remark | `sim:sms-wait` | the SMS verification is left to an operator |
//! | remark | `sim:sms-fail` | the SMS verification fails with the sixth wrong try |
//! | mobile | `19900000000` | the SMS never arrives: the verification ends after 24 hours, or by an operator |
//! | mobile | `19900000001` | the SMS verification of this phone fails with the sixth wrong try |
//! | remark | `sim:bureau-reject:1041` | refused with this result code, four digits; `1001` is not taken |
//! | remark | `sim:bureau-wait` | the decision is left to an operator |
//!
//! A word stands between blanks or commas and counts as a whole: `sim:timeouts` is none. Its memory is lost with the process, as if
//! the bureau had never seen the package.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::Duration;

use super::{BureauGateway, FiledStatus, Known, Package, Receipt, Sent, Silence, Verdict};

/// How long the simulated bureau thinks.
const SECONDS: i64 = 5;
/// Every reference that it gives begins so.
pub const REFERENCE_PREFIX: &str = "SIM-";

/// Mobile that no SMS of the simulated bureau reaches.
const SILENT_MOBILE: &str = "19900000000";
/// Mobile at which somebody types wrong codes.
const FAILING_MOBILE: &str = "19900000001";

/// Every word of a remark begins so.
pub const WORD_PREFIX: &str = "sim:";
/// Its words; beside them `bureau-reject:` with a code.
const WORDS: [&str; 8] = [
    "refuse-package",
    "offline",
    "timeout",
    "lost-reply",
    "lost-package",
    "sms-wait",
    "sms-fail",
    "bureau-wait",
];

/// The parts of a remark that may be words: what stands between blanks and commas.
pub fn parts(remark: &str) -> impl Iterator<Item = &str> {
    remark.split(|c: char| c.is_whitespace() || matches!(c, ',' | '，' | ';' | '；' | '、' | '。'))
}

/// Whether a remark has a word; the word is given without its prefix.
pub fn says(remark: &str, word: &str) -> bool {
    parts(remark).any(|part| part.strip_prefix(WORD_PREFIX) == Some(word))
}

/// Whether a word without its prefix means something to the simulated bureau.
pub fn is_word(word: &str) -> bool {
    WORDS.contains(&word) || refusal(word).is_some()
}

fn refusal(word: &str) -> Option<&str> {
    let code = word.strip_prefix("bureau-reject:")?;
    let is_code = code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit());
    (is_code && code != "1001").then_some(code)
}

/// The result code that a remark asks for.
fn refusal_code(remark: &str) -> Option<&str> {
    parts(remark).filter_map(|part| part.strip_prefix(WORD_PREFIX)).find_map(refusal)
}

/// What the simulated bureau remembers of an order.
#[derive(Clone)]
enum Memory {
    Has(String),
    Silent,
}

/// What becomes of the SMS verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsOutcome {
    /// Everybody types the right code.
    Confirmed,
    /// Somebody types a wrong code for the sixth time.
    Failed,
    /// An operator reports it.
    Wait,
}

/// The simulated bureau.
#[derive(Default)]
pub struct Simulator {
    memory: Mutex<HashMap<String, Memory>>,
}

impl Simulator {
    /// How long after acceptance, or after the SMS verification, it decides.
    pub fn delay(&self) -> Duration {
        Duration::seconds(SECONDS)
    }

    /// What it does about the SMS verification of a phone of a filing with this remark.
    pub fn sms(&self, remark: &str, mobile: &str) -> SmsOutcome {
        if says(remark, "sms-wait") || mobile == SILENT_MOBILE {
            SmsOutcome::Wait
        } else if says(remark, "sms-fail") || mobile == FAILING_MOBILE {
            SmsOutcome::Failed
        } else {
            SmsOutcome::Confirmed
        }
    }

    /// Its decision; none when it leaves it to an operator. `reference` is the one of its receipt.
    pub fn decide(
        &self,
        order_no: &str,
        icp_number: &str,
        reference: &str,
        (website_name, remark): (&str, &str),
    ) -> Option<Verdict> {
        if says(remark, "bureau-wait") {
            return None;
        }
        let refusal = match refusal_code(remark) {
            Some(code) => Some((
                code.to_owned(),
                "备案信息不符合要求（模拟管局） / not acceptable (simulated bureau)".to_owned(),
            )),
            None => website_name.contains("驳回").then(|| {
                (
                    "1020".to_owned(),
                    "网站名称不符合要求（模拟管局） / the name is not acceptable (simulated bureau)"
                        .to_owned(),
                )
            }),
        };
        let is_approved = refusal.is_none();
        let (result_code, result_text) =
            refusal.map_or_else(|| ("1001".to_owned(), None), |(code, text)| (code, Some(text)));
        Some(Verdict {
            external_reference: format!("{reference}-D"),
            data_sequence: None,
            order_no: order_no.to_owned(),
            icp_number: icp_number.to_owned(),
            is_approved,
            result_code,
            result_text,
        })
    }

    fn remember(&self, order_no: &str, memory: Memory) {
        if let Ok(mut map) = self.memory.lock() {
            map.insert(order_no.to_owned(), memory);
        }
    }
}

#[async_trait]
impl BureauGateway for Simulator {
    fn is_automatic(&self) -> bool {
        true
    }

    async fn submit(&self, package: &Package) -> Sent {
        let says = |word: &str| says(&package.remark, word);
        let short = package.sha256.get(..8).unwrap_or_default();
        let external_reference = format!("{REFERENCE_PREFIX}{}-{short}", package.order_no);
        if says("offline") {
            return Sent::NotSent("the simulated bureau cannot be reached".to_owned());
        }
        if says("timeout") {
            self.remember(&package.order_no, Memory::Silent);
            return Sent::NoReply("the simulated bureau does not answer".to_owned());
        }
        if says("lost-package") && package.attempt_no == 1 {
            if let Ok(mut map) = self.memory.lock() {
                map.remove(&package.order_no);
            }
            return Sent::NoReply("the package was lost on its way to the simulated bureau".to_owned());
        }
        if says("refuse-package") {
            let text =
                "数据包附件不符合要求（模拟管局） / an attachment is not acceptable (simulated bureau)"
                    .to_owned();
            return Sent::Refused { external_reference, code: "1055".to_owned(), text };
        }
        self.remember(&package.order_no, Memory::Has(external_reference.clone()));
        if says("lost-reply") {
            return Sent::NoReply("the reply of the simulated bureau was lost".to_owned());
        }
        Sent::Accepted(Receipt { external_reference })
    }

    async fn query(&self, order_no: &str) -> Known {
        let memory = self.memory.lock().ok().and_then(|map| map.get(order_no).cloned());
        match memory {
            Some(Memory::Has(external_reference)) => Known::Has(Receipt { external_reference }),
            Some(Memory::Silent) => Known::NoAnswer("the simulated bureau does not answer".to_owned()),
            None => Known::Absent,
        }
    }

    /// Whatever is asked about is filed: every website of the demo is.
    async fn filed_status(&self, _domain: &str) -> Result<Option<FiledStatus>, Silence> {
        Ok(Some(FiledStatus {
            is_filed: true,
            website_name: None,
            subject_icp_number: None,
            website_icp_number: None,
        }))
    }

    fn simulator(&self) -> Option<&Simulator> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(remark: &str, attempt_no: i32) -> Package {
        Package {
            submission_id: uuid::Uuid::nil(),
            order_no: "BA-2026-000001".into(),
            icp_number: "京ICP备12345678号-1".into(),
            bureau_code: "110000".into(),
            attempt_no,
            website_name: "云上花店".into(),
            remark: remark.into(),
            sha256: "0123456789abcdef".into(),
            zip: Vec::new(),
            document: crate::kernel::pii::Clear::from_value(serde_json::Value::Null),
            files: Vec::new(),
            data_sequence: None,
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn the_words_steer_it() {
        let order = "BA-2026-000001";
        let sent = |remark: &str, attempt: i32| {
            let bureau = Simulator::default();
            let sent = run(bureau.submit(&package(remark, attempt)));
            (sent, run(bureau.query(order)))
        };
        assert!(matches!(sent("", 1), (Sent::Accepted(_), Known::Has(_))));
        assert!(matches!(sent("x sim:timeout", 1), (Sent::NoReply(_), Known::NoAnswer(_))));
        assert!(matches!(sent("sim:lost-reply", 1), (Sent::NoReply(_), Known::Has(_))));
        assert!(matches!(sent("sim:lost-package", 1), (Sent::NoReply(_), Known::Absent)));
        assert!(matches!(sent("sim:lost-package", 2), (Sent::Accepted(_), Known::Has(_))));
        assert!(matches!(sent("sim:offline", 1), (Sent::NotSent(_), Known::Absent)));
        assert!(matches!(sent("sim:refuse-package", 1), (Sent::Refused { .. }, Known::Absent)));
    }

    #[test]
    fn a_name_with_the_word_is_refused_with_a_code_that_points_at_it() {
        let decide = |name: &str, remark: &str| {
            Simulator::default().decide("BA-2026-000001", "京ICP备12345678号-1", "SIM-1", (name, remark))
        };
        let code = |name: &str, remark: &str| decide(name, remark).map(|verdict| verdict.result_code);
        assert_eq!(code("请驳回网站", "").as_deref(), Some("1020"));
        assert!(decide("请驳回网站", "").is_some_and(|verdict| !verdict.is_approved));
        assert!(decide("云上花店", "").is_some_and(|verdict| verdict.is_approved));
        assert_eq!(code("云上花店", "更名 sim:bureau-reject:1041").as_deref(), Some("1041"));
        for approved in ["sim:bureau-reject:1001", "sim:bureau-reject:10", "sim:bureau-reject:审核不过"] {
            assert_eq!(code("云上花店", approved).as_deref(), Some("1001"), "{approved}");
        }
        assert_eq!(decide("云上花店", "sim:bureau-wait"), None);
    }

    #[test]
    fn two_mobiles_steer_the_sms_verification() {
        let bureau = Simulator::default();
        assert_eq!(bureau.sms("", "13800138000"), SmsOutcome::Confirmed);
        assert_eq!(bureau.sms("", SILENT_MOBILE), SmsOutcome::Wait);
        assert_eq!(bureau.sms("", FAILING_MOBILE), SmsOutcome::Failed);
        assert_eq!(bureau.sms("sim:sms-wait", "13800138000"), SmsOutcome::Wait);
        assert_eq!(bureau.sms("sim:sms-waiting", "13800138000"), SmsOutcome::Confirmed);
    }

    #[test]
    fn a_word_counts_as_a_whole() {
        for word in WORDS.into_iter().chain(["bureau-reject:1041"]) {
            assert!(is_word(word) && says(&format!("更名，sim:{word}；"), word), "{word}");
        }
        for other in ["", "timeouts", "bureau-reject", "bureau-reject:1001", "bureau-reject:10411", "review"]
        {
            assert!(!is_word(other), "{other}");
        }
        assert!(!says("xsim:timeout", "timeout") && !says("sim:timeouts", "timeout"));
    }
}
