//! Rules as data: rejection reasons, dictionaries, carriers, province rules, photo guide, checklists, terms, calendar, regions.
//!
//! The shipped rows (`data`) are put into the database at every start (`seed`); from then on the database decides, read by
//! the typed functions of `model`, and the admin changes it row by row. A row counts from its `effective_from` until a
//! newer one of the same key. Loading a calendar year recomputes provisional deadlines (`recompute`).

mod api;
mod cache;
pub mod data;
pub mod jobs;
pub mod model;
mod recompute;
pub mod regions;
mod seed;

pub use api::{PictureBytes, routes};
pub use cache::{CatalogueCache, Shown};
pub use model::{
    Terms, TermsKind, backdrop_profile, banned_names, calendar, carrier, carriers, checklist, current_terms,
    dictionaries, dictionary, dictionary_entry, photo_guide_items, province_rule, province_rules,
    rejection_reason, rejection_reasons,
};
pub use seed::seed;
