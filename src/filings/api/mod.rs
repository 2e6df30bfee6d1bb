//! Handlers of filings.

mod drafts;
mod lists;
mod reads;
mod reveal;
mod transitions;

use crate::routes::Router;
pub use drafts::{CheckResult, NewFiling, start_edited, start_website_change};

use crate::app::App;
use crate::auth::Caller;
use crate::filings::body::House;

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl Router) {
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

/// What replies to this caller need to know of the house.
fn house(app: &App, caller: &Caller) -> House {
    let names = &app.config.provider;
    House {
        name: caller.locale.pick(&names.name_zh, &names.name_en).to_owned(),
        is_automatic: app.bureau.is_automatic(),
    }
}
