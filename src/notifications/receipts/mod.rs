//! Delivery receipts of SMS: asked for (JD Cloud) or told by the provider (`api`). An undelivered message is not
//! sent again; its number becomes a task for the user.

pub(super) mod api;

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::jobs::ASK_RECEIPT;
use super::{Channel, NotificationState, ReceiptState, undeliverable};
use crate::app::App;
use crate::external::DeliveryError;
use crate::external::sms::Receipt;
use crate::kernel::ids::{NotificationId, UserId};
use crate::kernel::jobs::{self, NewJob, Postponed};
use crate::kernel::pii::{self, Sensitive};
use crate::schema::{notifications, users};
use crate::users::ContactChannel;
use crate::users::undeliverable::{self as contacts, UndeliverableSource};

/// Minutes after which the provider is asked, each counted from the time before. Networks answer within seconds, or after
/// the phone was switched on again; they give up after two or three days.
const ASK_AFTER: [i64; 8] = [1, 4, 10, 45, 300, 1080, 1440, 1440];

/// Days after which nobody is asked any more, whatever the provider's state was meanwhile.
const GIVE_UP_DAYS: i64 = 4;
/// Minutes until the next try when the provider itself does not answer.
const AWAY_MINUTES: i64 = 10;

/// Has the provider asked, for the `round`-th time. Nothing when there was the last round.
pub(super) fn ask_later(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: NotificationId,
    round: usize,
) -> QueryResult<bool> {
    let Some(minutes) = ASK_AFTER.get(round) else { return Ok(false) };
    let job = NewJob::new(ASK_RECEIPT, json!({ "notification_id": id, "round": round }))
        .once(format!("{ASK_RECEIPT}:{id}:{round}"))
        .at(now + Duration::minutes(*minutes));
    jobs::enqueue(conn, now, job)?;
    Ok(true)
}

/// A sent SMS whose receipt is not there yet.
#[derive(Queryable)]
struct Open {
    provider: Option<String>,
    reference: Option<String>,
    sent_at: Option<DateTime<Utc>>,
    recipient_hash: Option<Vec<u8>>,
    mobile: Option<Sensitive<pii::Phone>>,
}

/// Asks once; asks again later while the network does not know.
pub(super) async fn ask(app: App, id: NotificationId, round: usize) -> anyhow::Result<()> {
    let found: Option<Open> = app
        .db
        .run(move |conn| {
            Ok(notifications::table
                .inner_join(users::table)
                .filter(notifications::id.eq(id))
                .filter(notifications::receipt.eq(ReceiptState::Pending))
                .select((
                    notifications::provider,
                    notifications::provider_reference,
                    notifications::sent_at,
                    notifications::recipient_hash,
                    users::mobile,
                ))
                .first(conn)
                .optional()?)
        })
        .await?;
    let Some(Open { provider, reference, sent_at, recipient_hash, mobile }) = found else { return Ok(()) };
    let now = app.clock.now();
    // The number is not kept with the message. When the user has another one by now, or the operator another provider, nobody
    // can be asked.
    let same = mobile.filter(|mobile| mobile.lookup_hash().ok() == recipient_hash);
    let is_in_time = sent_at.is_some_and(|at| now < at + Duration::days(GIVE_UP_DAYS));
    let to = same.filter(|_| is_in_time && provider.as_deref() == Some(app.sms.name()));
    let receipt = match to.as_ref().zip(reference) {
        Some((to, reference)) => match app.sms.receipt(now, &reference, to).await {
            Err(DeliveryError::Channel(words)) => {
                let until = now + Duration::minutes(AWAY_MINUTES);
                return Err(Postponed { until, reason: words }.into());
            }
            answer => answer?,
        },
        None => None,
    };
    app.db
        .transaction(move |conn| {
            match receipt {
                Some(receipt) => {
                    record(conn, now, id, &receipt)?;
                }
                None if to.is_some() && ask_later(conn, now, id, round + 1)? => {}
                None => {
                    settle(conn, now, id, ReceiptState::Unknown, None)?;
                }
            }
            Ok(())
        })
        .await?;
    Ok(())
}

/// Records a receipt. False when there was one already: the first one stays.
pub(super) fn record(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: NotificationId,
    receipt: &Receipt,
) -> QueryResult<bool> {
    let state = if receipt.is_delivered { ReceiptState::Delivered } else { ReceiptState::Undelivered };
    if !settle(conn, now, id, state, receipt.code.as_deref())? {
        return Ok(false);
    }
    metrics::counter!("beian_sms_receipts_total", "state" => state.as_str()).increment(1);
    let (user, hash): (UserId, Option<Vec<u8>>) = notifications::table
        .find(id)
        .select((notifications::user_id, notifications::recipient_hash))
        .first(conn)?;
    let hash = hash.unwrap_or_default();
    if receipt.is_delivered {
        contacts::arrived(conn, now, user, ContactChannel::Mobile, &hash)?;
    } else {
        let (source, code) = (UndeliverableSource::Receipt, receipt.code.as_deref());
        undeliverable::record(conn, now, user, Channel::Sms, &hash, source, code)?;
    }
    Ok(true)
}

fn settle(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: NotificationId,
    state: ReceiptState,
    code: Option<&str>,
) -> QueryResult<bool> {
    let open = notifications::receipt.eq_any([ReceiptState::Pending, ReceiptState::Unknown]);
    let rows = diesel::update(notifications::table.find(id).filter(open.assume_not_null()))
        .set((
            notifications::receipt.eq(state),
            notifications::receipt_code.eq(code),
            notifications::receipt_at.eq(now),
        ))
        .execute(conn)?;
    Ok(rows == 1)
}

/// The message that a provider means: by its own number of it, or by the id that we sent along.
pub(super) fn find(
    conn: &mut PgConnection,
    provider: &str,
    reference: &str,
) -> QueryResult<Option<NotificationId>> {
    let sent = notifications::table
        .filter(notifications::channel.eq(Channel::Sms))
        .filter(notifications::state.eq(NotificationState::Sent))
        .filter(notifications::provider.eq(provider))
        .select(notifications::id);
    let by_number = sent
        .filter(notifications::provider_reference.eq(reference))
        .order(notifications::created_at.desc())
        .first(conn)
        .optional()?;
    match (by_number, reference.parse::<Uuid>()) {
        (None, Ok(id)) => sent.filter(notifications::id.eq(NotificationId(id))).first(conn).optional(),
        (found, _) => Ok(found),
    }
}
