//! A mail as a MIME message.

use std::time::SystemTime;

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};

use super::Mail;
use crate::external::DeliveryError;

/// Tells other systems not to answer (RFC 3834): out-of-office replies to us would reach nobody.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Where this kind of mail is switched off (RFC 2369).
#[derive(Clone)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), format!("<{}>", self.0))
    }
}

/// That one POST to that address does it, without a log-in (RFC 8058).
#[derive(Clone)]
struct ListUnsubscribePost;

impl Header for ListUnsubscribePost {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

/// The sender, read once from the settings.
///
/// # Errors
/// When the text is no address.
pub(super) fn sender(from: &str) -> anyhow::Result<Mailbox> {
    from.parse()
        .map_err(|_| anyhow::anyhow!("MAIL_FROM: an address such as ICP <icp@example.com> is expected"))
}

/// The finished message: plain text and HTML as alternatives, headers encoded where they are not ASCII.
///
/// # Errors
/// Permanent when the recipient's address cannot be used.
pub(super) fn message(mail: &Mail, from: &Mailbox) -> Result<Message, DeliveryError> {
    let unusable = |_| DeliveryError::Permanent("the recipient's address cannot be used".to_owned());
    let to = mail.to.expose().trim().parse().map_err(unusable)?;
    let mut builder = Message::builder()
        .message_id(Some(format!("<{}@{}>", mail.id, from.email.domain())))
        .date(SystemTime::from(mail.at))
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(mail.subject.clone())
        .header(AutoSubmitted);
    if let Some(address) = &mail.unsubscribe {
        builder = builder.header(ListUnsubscribe(address.clone())).header(ListUnsubscribePost);
    }
    builder
        .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
        .map_err(|error| DeliveryError::Permanent(format!("the mail cannot be composed: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pii::Sensitive;

    fn mail(to: &str) -> Mail {
        Mail {
            id: uuid::Uuid::from_u128(7),
            at: "2026-03-02T01:02:03Z".parse().expect("a time"),
            to: Sensitive::new(to),
            subject: "初审未通过，请修改后重新提交（BA-2026-000123）".to_owned(),
            text: "您好".to_owned(),
            html: "<p>您好</p>".to_owned(),
            unsubscribe: None,
        }
    }

    #[test]
    fn a_mail_has_both_forms_and_the_headers_that_identify_it() {
        let from = sender("备案 <icp@example.com>").expect("a sender");
        let bytes = message(&mail("zhang@example.com"), &from).expect("a message").formatted();
        let text = String::from_utf8(bytes).expect("ASCII");
        assert!(text.is_ascii(), "old servers take seven bits only");
        for line in [
            "Message-ID: <00000000-0000-0000-0000-000000000007@example.com>",
            "Date: Mon, 02 Mar 2026 01:02:03 +0000",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "To: zhang@example.com",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(
            text.contains("multipart/alternative")
                && text.contains("text/plain")
                && text.contains("text/html")
        );
        assert!(text.contains("Subject: =?utf-8?b?"));
        // Some servers refuse longer lines.
        assert!(text.lines().all(|line| line.len() <= 998));
    }

    #[test]
    fn only_a_mail_that_can_be_switched_off_says_how() {
        let from = sender("icp@example.com").expect("a sender");
        let text = |mail: &Mail| {
            String::from_utf8(message(mail, &from).expect("a message").formatted()).expect("ASCII")
        };
        let fixed = mail("zhang@example.com");
        assert!(!text(&fixed).contains("List-"));
        let address = format!("https://beian.example.com/v1/unsubscribe?token={}", "x".repeat(70));
        let open = text(&Mail { unsubscribe: Some(address.clone()), ..fixed });
        assert!(open.contains(&format!("List-Unsubscribe: <{address}>\r\n")), "{open}");
        assert!(open.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{open}");
    }

    #[test]
    fn an_address_that_is_none_is_refused_for_good_and_not_repeated() {
        let from = sender("icp@example.com").expect("a sender");
        for address in ["", "nobody", "a@b\r\nBcc: c@example.com"] {
            let error = message(&mail(address), &from).expect_err("no address");
            assert!(
                matches!(&error, DeliveryError::Permanent(text) if address.is_empty() || !text.contains(address))
            );
        }
    }
}
