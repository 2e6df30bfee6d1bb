//! The way to the provincial bureau. Three implementations: [`manual`] (an operator carries the package), [`simulator`]
//! (embedded default) and [`miit`] (the ministry's own interface).
//!
//! A gateway only carries: it never touches the database, and whoever calls it holds no transaction open. Numbers, and what
//! has been decided, are kept by `bureau_submissions`, before and after each call.

pub mod manual;
pub mod miit;
pub mod simulator;

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use crate::config::{BureauGateway as Setting, MiitConfig};
use crate::kernel::pii::Clear;

use self::manual::ManualGateway;
use self::miit::MiitGateway;
use self::simulator::Simulator;

/// A package on its way to the bureau. Its content is personal data in clear: never log it.
pub struct Package {
    /// Our own id of the hand-over.
    pub submission_id: Uuid,
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
    /// The data in clear, for gateways with a form of their own.
    pub(crate) document: Clear,
    /// Materials and photo, for gateways with a form of their own.
    pub files: Vec<PackageFile>,
    /// Number of the file, for gateways that have a [`BureauGateway::lane`].
    pub data_sequence: Option<i64>,
}

/// A file of a package.
pub struct PackageFile {
    /// Name in the package, such as `materials/01-identity_card_front.jpg`.
    pub name: String,
    /// MIME type.
    pub content_type: String,
    /// The file itself.
    pub bytes: Vec<u8>,
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
    /// It certainly did not arrive, and not because of this package: nobody is there, or maintenance. Tried again later.
    Later(Pause),
    /// The bureau does not let us in: nothing more must be sent until an operator has mended it.
    Stop(String),
    /// Not taken: the bureau lacks the files with these numbers and wants them first.
    Gap(Vec<i64>),
}

/// Why nothing goes at present, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// In words, for operators.
    pub reason: String,
    /// When to try again, in seconds.
    pub seconds: i64,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// No reply, or one that cannot be read.
    NoAnswer(String),
    /// Maintenance.
    Later(Pause),
    /// The bureau does not let us in.
    Stop(String),
}

/// The last file that the bureau has from us.
pub struct LastUpload {
    /// Its number; 0 when there is none.
    pub data_sequence: i64,
    /// What stands in it, in clear: never log it.
    document: Option<zeroize::Zeroizing<String>>,
}

impl LastUpload {
    /// The bureau's record.
    pub fn new(data_sequence: i64, document: Option<String>) -> Self {
        Self { data_sequence, document: document.map(zeroize::Zeroizing::new) }
    }

    /// Whether the file names this order.
    pub fn is_of(&self, order_no: &str) -> bool {
        self.document.as_ref().is_some_and(|text| text.contains(order_no))
    }
}

/// What lies ready for us at the bureau.
#[derive(Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Nothing.
    Nothing,
    /// A file. It comes again until it is acknowledged.
    File(Inbound),
}

/// A file from the bureau.
#[derive(Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Its name, to acknowledge it.
    pub file_name: String,
    /// What stands in it.
    pub verdicts: Vec<Verdict>,
    /// Whether others lie behind it.
    pub has_more: bool,
}

/// What the bureau's public record says about a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiledStatus {
    /// Whether it is filed.
    pub is_filed: bool,
    /// Name of the website.
    pub website_name: Option<String>,
    /// ICP number of the subject.
    pub subject_icp_number: Option<String>,
    /// ICP number of the website.
    pub website_icp_number: Option<String>,
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
    /// Number of the file that it answers, if the bureau repeats it.
    pub data_sequence: Option<i64>,
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

    /// Asks the bureau's record for an order, after an attempt that ended without a reply. Not asked of a gateway with a lane.
    async fn query(&self, order_no: &str) -> Known;

    /// Name of the lane over which every file goes, if files carry numbers that must be continuous: one account at one
    /// system. At most one file is on its way in a lane.
    fn lane(&self) -> Option<&str> {
        None
    }

    /// The bureau's own number of the file with this number in the lane.
    fn reference(&self, data_sequence: i64) -> String {
        data_sequence.to_string()
    }

    /// The last file that the bureau has from us: how a lane finds out whether a file without a reply has arrived.
    async fn last_upload(&self) -> Result<LastUpload, Silence> {
        Err(Silence::NoAnswer("this gateway has no lane".to_owned()))
    }

    /// The oldest file that lies ready for us.
    async fn fetch(&self) -> Result<Fetched, Silence> {
        Ok(Fetched::Nothing)
    }

    /// Everything in the file has been recorded: the bureau need not send it again.
    async fn acknowledge(&self, _file_name: &str) -> Result<(), Silence> {
        Ok(())
    }

    /// What the bureau's public record says about a domain; none when this gateway has no way to ask.
    async fn filed_status(&self, _domain: &str) -> Result<Option<FiledStatus>, Silence> {
        Ok(None)
    }

    /// The simulated bureau behind the gateway, if there is one: it decides when asked.
    fn simulator(&self) -> Option<&Simulator> {
        None
    }
}

/// The gateway of the settings.
///
/// # Errors
/// When its HTTP client cannot be made.
pub fn for_setting(setting: Setting, miit: Option<&MiitConfig>) -> anyhow::Result<Arc<dyn BureauGateway>> {
    Ok(match (setting, miit) {
        (Setting::Manual, _) => Arc::new(ManualGateway),
        (Setting::Simulator, _) => Arc::new(Simulator::default()),
        (Setting::Miit, Some(config)) => Arc::new(MiitGateway::new(config.clone())?),
        (Setting::Miit, None) => anyhow::bail!("BUREAU_GATEWAY=miit without its settings"),
    })
}
