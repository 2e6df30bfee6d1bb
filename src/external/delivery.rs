//! Why a message was not delivered.

/// Why a message was not handed over. The texts name codes and kinds of faults, never an address or a number: they
/// are kept with the job and shown to admins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The whole channel does not work just now: no connection, a refused log-in, a server that is down. No message
    /// is at fault; all of them wait.
    #[error("the channel does not work: {0}")]
    Channel(String),
    /// Trying this message again later may help.
    #[error("not delivered now: {0}")]
    Retryable(String),
    /// The other side refused this message for good, for a reason that is not the recipient's contact.
    #[error("refused for good: {0}")]
    Permanent(String),
    /// The other side says that nobody has this address or number.
    #[error("no such recipient: {0}")]
    Recipient(String),
    /// Nobody is configured to carry messages of this channel.
    #[error("no provider is configured for this channel")]
    NoProvider,
    /// The provider has no template for this kind of message.
    #[error("the provider has no template for this message")]
    NoTemplate,
}

/// Digits, letters and a few marks of another system's code; anything else is left out, so that a code can stand in a
/// log. At most 40 characters.
pub(super) fn safe_code(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric() || "._:-".contains(*c)).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_carry_no_words() {
        assert_eq!(safe_code("UNDELIV"), "UNDELIV");
        assert_eq!(safe_code("DB:0103"), "DB:0103");
        assert_eq!(safe_code("no user <zhang@example.com> 号码"), "nouserzhangexample.com");
        assert_eq!(safe_code(&"9".repeat(99)).len(), 40);
    }
}
