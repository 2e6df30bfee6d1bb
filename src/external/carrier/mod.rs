//! What couriers report about parcels. One implementation: [`kuaidi100`]; without its key, logistics enters events by hand.

pub mod kuaidi100;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::config::Kuaidi100Config;

use self::kuaidi100::Kuaidi100;

/// A parcel on its way.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Code of the courier company, Kuaidi100's own.
    pub carrier_code: String,
    /// Number of the parcel.
    pub tracking_number: String,
    /// Last four digits of the recipient's phone: some companies tell nothing without them.
    pub phone_end: String,
}

/// Everything that is known about a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The company's code of where it stands, see `tracker_codes.json`.
    pub state: String,
    /// What happened, in any order.
    pub events: Vec<ReportedEvent>,
}

/// Something that happened to a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// Where, if the company says.
    pub place: Option<String>,
    /// In the company's words.
    pub text: String,
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrackingError {
    /// The company knows nothing of the parcel yet.
    #[error("nothing is known of the parcel yet")]
    Unknown,
    /// The service refuses us: key, signature, or the account is empty. Nobody but an operator can mend it.
    #[error("the service refuses: {0}")]
    Refused(String),
    /// No answer that can be understood.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

/// Asks about parcels.
#[async_trait]
pub trait CarrierTracker: Send + Sync {
    /// Asks once. Takes at most half a minute.
    async fn query(&self, parcel: &Parcel) -> Result<Report, TrackingError>;

    /// Asks to be told of everything that happens to the parcel at `callback_url`. Asking again changes nothing.
    async fn subscribe(&self, parcel: &Parcel, callback_url: &str) -> Result<(), TrackingError>;

    /// The parcel and the report in what the service tells us by itself; none when it was not signed by the service or
    /// cannot be read.
    fn read_push(&self, sign: &str, param: &str) -> Option<(Parcel, Report)>;
}

/// The tracker of the settings; none without a key.
///
/// # Errors
/// When its HTTP client cannot be made.
pub fn from_config(config: Option<&Kuaidi100Config>) -> anyhow::Result<Option<Arc<dyn CarrierTracker>>> {
    let Some(config) = config else { return Ok(None) };
    Ok(Some(Arc::new(Kuaidi100::new(config.clone())?)))
}
