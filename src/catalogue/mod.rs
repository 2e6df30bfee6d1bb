//! Rules as data: rejection reasons, dictionaries, carriers, province rules, photo guide, terms, calendar, regions.

pub mod data;
pub mod regions;
