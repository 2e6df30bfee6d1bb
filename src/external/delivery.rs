//! Why a message was not delivered.

/// Why a message was not handed over. The texts name codes and kinds of faults, never an address or a number: they
/// are kept with the job and shown to admins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Trying again later may help.
    #[error("not delivered now: {0}")]
    Retryable(String),
    /// The other side refused this message for good.
    #[error("refused for good: {0}")]
    Permanent(String),
    /// Nobody is configured to carry messages of this channel.
    #[error("no provider is configured for this channel")]
    NoProvider,
}
