//! The way to the provincial bureau. Two implementations: [`manual`] (an operator carries the package) and [`simulator`]
//! (embedded default). The ministry's own interface is a later implementation of the same trait.
//!
//! A gateway only carries: it never touches the database, and whoever calls it holds no transaction open.

pub mod manual;
pub mod simulator;

use std::sync::Arc;

use async_trait::async_trait;

use crate::config::BureauGateway as Setting;

use self::manual::ManualGateway;
use self::simulator::Simulator;

/// A package on its way to the bureau. Its content is personal data in clear: never log it.
pub struct Package {
    /// 备案订单号: the name under which the bureau's record is asked.
    pub order_no: String,
    /// ICP number of the website.
    pub icp_number: String,
    /// Province code of the bureau.
    pub bureau_code: String,
    /// How often it has been sent, this time included.
    pub attempt_no: i32,
    /// Name of the website, as in the content.
    pub website_name: String,
    /// Remark of the applicant, as in the content.
    pub remark: String,
    /// SHA-256 of the zip, lower-case hex.
    pub sha256: String,
    /// The zip itself.
    pub zip: Vec<u8>,
}

/// That the bureau has a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The bureau's own number of the package.
    pub external_reference: String,
}

/// How sending ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The bureau took the package.
    Accepted(Receipt),
    /// The bureau looked at the package and does not take it.
    Refused {
        /// The bureau's own number of the refusal.
        external_reference: String,
        /// Result code.
        code: String,
        /// The bureau's words.
        text: String,
    },
    /// It certainly did not arrive: it may be sent again.
    NotSent(String),
    /// No reply came: it may have arrived, so the bureau's record must be asked before it is sent again.
    NoReply(String),
}

/// What the bureau's own record says about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It has the package.
    Has(Receipt),
    /// It has never seen it.
    Absent,
    /// It does not answer.
    NoAnswer(String),
}

/// What the bureau decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The bureau's own number of the decision.
    pub external_reference: String,
    /// 备案订单号, repeated by the bureau.
    pub order_no: String,
    /// ICP number of the website, repeated by the bureau.
    pub icp_number: String,
    /// Approved or refused.
    pub is_approved: bool,
    /// Result code, `1001` for approved.
    pub result_code: String,
    /// The bureau's words.
    pub result_text: Option<String>,
}

/// Carries packages to the bureau and brings its decisions back.
#[async_trait]
pub trait BureauGateway: Send + Sync {
    /// Whether packages go by themselves. If not, they wait for an operator.
    fn is_automatic(&self) -> bool;

    /// Sends a package. Called at most once per attempt; takes at most a minute.
    async fn submit(&self, package: &Package) -> Sent;

    /// Asks the bureau's record for an order, after an attempt that ended without a reply.
    async fn query(&self, order_no: &str) -> Known;

    /// Decisions that have come in. The same one may come again until it has been recorded.
    async fn poll(&self) -> Vec<Verdict>;

    /// The simulated bureau behind the gateway, if there is one: it decides when asked.
    fn simulator(&self) -> Option<&Simulator> {
        None
    }
}

/// The gateway of a setting.
pub fn for_setting(setting: Setting) -> Arc<dyn BureauGateway> {
    match setting {
        Setting::Manual => Arc::new(ManualGateway),
        Setting::Simulator => Arc::new(Simulator::default()),
    }
}
