//! The fixed ids of the demo data: `0193a000-0000-7000-8000-0000000TTNNN`, TT for the type and NNN counted from 1.

use uuid::Uuid;

const BASE: u128 = 0x0193_a000_0000_7000_8000_0000_0000_0000;

/// Decimal digits that are read as hexadecimal ones, so that an id looks like its number.
const fn digits(mut number: u128) -> u128 {
    let mut shift = 0;
    let mut value = 0;
    while number > 0 {
        value |= (number % 10) << shift;
        number /= 10;
        shift += 4;
    }
    value
}

const fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128(BASE | digits(kind * 1000 + number))
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])*
        pub const fn $name(number: u128) -> Uuid {
            id($kind, number)
        }
    )+};
}

kinds! {
    /// Accounts.
    account = 10;
    /// Users.
    user = 11;
    /// Partners.
    partner = 12;
    /// Subjects.
    subject = 13;
    /// Websites.
    website = 14;
    /// Filings.
    filing = 15;
    /// Attachments.
    attachment = 16;
    /// Review tasks.
    review = 17;
    /// Photo verifications.
    photo = 18;
    /// Backdrop shipments.
    shipment = 19;
    /// Bureau submissions.
    submission = 20;
    /// Notifications.
    notification = 21;
    /// Jobs.
    job = 22;
    /// Rejections.
    rejection = 23;
    /// Revisions.
    revision = 24;
    /// Sessions.
    session = 25;
    /// Contents.
    content = 26;
    /// Partners' clients.
    api_client = 27;
    /// Secrets of partners' clients.
    api_client_secret = 28;
    /// Webhook endpoints.
    webhook_endpoint = 29;
    /// Webhook deliveries.
    webhook_delivery = 30;
    /// Results of bureaus that could not be applied.
    bureau_result = 31;
    /// Batches of filings.
    filing_batch = 32;
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_look_like_their_numbers() {
        assert_eq!(super::filing(12).to_string(), "0193a000-0000-7000-8000-000000015012");
    }
}
