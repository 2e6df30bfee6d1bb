//! Handlers of filings.

mod drafts;
mod lists;
mod reads;
mod reveal;
mod transitions;

pub use drafts::{CheckResult, NewFiling, start_edited, start_website_change};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::auth::Caller;

/// Adds this feature's routes.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(drafts::create_filing)
        .service(lists::list_filings)
        .service(drafts::get_filing)
        .service(drafts::update_filing)
        .service(drafts::check_filing)
        .service(transitions::submit_filing)
        .service(transitions::withdraw_filing)
        .service(transitions::abandon_filing)
        .service(transitions::reopen_filing)
        .service(transitions::resend_filing)
        .service(reads::get_filing_diff)
        .service(reads::list_filing_requirements)
        .service(reads::list_filing_revisions)
        .service(lists::list_filing_events)
        .service(reveal::reveal_filing);
}

/// The provider's name in the caller's language, for prompts.
fn provider<'a>(app: &'a App, caller: &Caller) -> &'a str {
    caller.locale.pick(&app.config.provider.name_zh, &app.config.provider.name_en)
}
