//! No machine: an operator downloads the package, carries it to the bureau's own system and records what came back.

use async_trait::async_trait;

use super::{BureauGateway, Known, Package, Sent};

/// The gateway without a machine.
pub struct ManualGateway;

#[async_trait]
impl BureauGateway for ManualGateway {
    fn is_automatic(&self) -> bool {
        false
    }

    /// Nothing leaves by itself; the submission stays queued.
    async fn submit(&self, _package: &Package) -> Sent {
        Sent::NotSent("an operator carries the packages".to_owned())
    }

    async fn query(&self, _order_no: &str) -> Known {
        Known::NoAnswer("an operator asks the bureau".to_owned())
    }
}
