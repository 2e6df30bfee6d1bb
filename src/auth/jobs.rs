//! Periodic tidying of what logging in leaves behind.

use chrono::Duration;

use super::{resets, sessions, throttle};
use crate::app::App;
use crate::kernel::{idempotency, jobs::Registry};

/// Registers `auth.purge`, every hour: expired refresh tokens and their sessions, password resets, throttle counters,
/// idempotency keys.
pub fn register(registry: &mut Registry, app: &App) {
    let app = app.clone();
    registry.every("auth.purge", Duration::hours(1), move |_| {
        let app = app.clone();
        async move {
            let now = app.clock.now();
            let removed = app
                .db
                .transaction(move |conn| {
                    Ok(sessions::purge(conn, now)?
                        + resets::purge(conn, now)?
                        + throttle::purge(conn, now)?
                        + idempotency::purge(conn, now)?)
                })
                .await?;
            if removed > 0 {
                tracing::info!(removed, "removed expired sessions, tokens, counters and keys");
            }
            Ok(())
        }
    });
}
