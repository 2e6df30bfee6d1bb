//! Filed data: subjects, their websites and what each filed version says.

pub mod content;
pub mod fields;
pub mod model;
pub mod patch;
pub mod subject;
