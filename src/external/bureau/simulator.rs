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
//!
//! Its memory is lost with the process, as if the bureau had never seen the package.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::Duration;

use super::{BureauGateway, FiledStatus, Known, Package, Receipt, Sent, Silence, Verdict};

/// How long the simulated bureau thinks.
const SECONDS: i64 = 5;
/// Every reference that it gives begins so.
pub const REFERENCE_PREFIX: &str = "SIM-";

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

    /// What it does about the SMS verification of a filing with this remark.
    pub fn sms(&self, remark: &str) -> SmsOutcome {
        if remark.contains("sim:sms-wait") {
            SmsOutcome::Wait
        } else if remark.contains("sim:sms-fail") {
            SmsOutcome::Failed
        } else {
            SmsOutcome::Confirmed
        }
    }

    /// Its decision. `reference` is the one of its receipt.
    pub fn decide(&self, order_no: &str, icp_number: &str, reference: &str, website_name: &str) -> Verdict {
        let is_approved = !website_name.contains("驳回");
        Verdict {
            external_reference: format!("{reference}-D"),
            data_sequence: None,
            order_no: order_no.to_owned(),
            icp_number: icp_number.to_owned(),
            is_approved,
            result_code: if is_approved { "1001" } else { "1020" }.to_owned(),
            result_text: (!is_approved).then(|| "网站名称不符合要求（模拟管局）".to_owned()),
        }
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
        let says = |word: &str| package.remark.contains(word);
        let short = package.sha256.get(..8).unwrap_or_default();
        let external_reference = format!("{REFERENCE_PREFIX}{}-{short}", package.order_no);
        if says("sim:offline") {
            return Sent::NotSent("the simulated bureau cannot be reached".to_owned());
        }
        if says("sim:timeout") {
            self.remember(&package.order_no, Memory::Silent);
            return Sent::NoReply("the simulated bureau does not answer".to_owned());
        }
        if says("sim:lost-package") && package.attempt_no == 1 {
            if let Ok(mut map) = self.memory.lock() {
                map.remove(&package.order_no);
            }
            return Sent::NoReply("the package was lost on its way to the simulated bureau".to_owned());
        }
        if says("sim:refuse-package") {
            let text = "数据包附件不符合要求（模拟管局）".to_owned();
            return Sent::Refused { external_reference, code: "1055".to_owned(), text };
        }
        self.remember(&package.order_no, Memory::Has(external_reference.clone()));
        if says("sim:lost-reply") {
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
        let verdict =
            Simulator::default().decide("BA-2026-000001", "京ICP备12345678号-1", "SIM-1", "请驳回网站");
        assert_eq!((verdict.is_approved, verdict.result_code.as_str()), (false, "1020"));
        assert!(Simulator::default().decide("a", "b", "SIM-1", "云上花店").is_approved);
    }
}
