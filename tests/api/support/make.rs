//! Brings things into a state, over HTTP, as people would.

use super::app::TestApp;

/// Entry to the makers.
pub struct Make<'a> {
    pub app: &'a TestApp,
}

impl<'a> Make<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        Self { app }
    }
}
