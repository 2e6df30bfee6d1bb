//! Periodic tidying of contacts that were verified or never were.

use chrono::Duration;

use super::contacts;
use crate::app::App;
use crate::kernel::jobs::Registry;

/// Registers `users.purge`, once a day: verifications older than a day, which hold a sealed contact.
pub fn register(registry: &mut Registry, app: &App) {
    let app = app.clone();
    registry.every("users.purge", Duration::days(1), move |_| {
        let app = app.clone();
        async move {
            let now = app.clock.now();
            app.db.transaction(move |conn| Ok(contacts::purge(conn, now)?)).await?;
            Ok(())
        }
    });
}
