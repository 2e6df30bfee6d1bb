//! What a provider's cloth looks like: data, not code.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A provider's cloth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = BackdropAppearance)]
#[serde(deny_unknown_fields)]
pub struct BackdropProfile {
    /// Lower end of the cloth's hue, in degrees (0 red, 120 green, 240 blue). Greater than `hue_to`: across 0.
    #[schema(minimum = 0.0, maximum = 360.0)]
    pub hue_from: f32,
    /// Upper end of the cloth's hue, in degrees.
    #[schema(minimum = 0.0, maximum = 360.0)]
    pub hue_to: f32,
    /// Least saturation (HSV) of the cloth in any light, 0 to 1.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub saturation_from: f32,
    /// Least value (HSV) of the cloth in shadow, 0 to 1.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub value_from: f32,
    /// Greatest value (HSV) of the cloth in light, 0 to 1.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub value_to: f32,
    /// Least share of the cloth in what is not the person, 0 to 1. Below it, the backdrop is missing.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub minimal_share: f32,
    /// Least share of the cloth's pixels whose hue is within 15 degrees of the cloth's median hue, 0 to 1. Below it, what is
    /// blue is not one cloth.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub minimal_evenness: f32,
    /// The cloth must reach the left edge.
    pub left_edge: bool,
    /// The cloth must reach the right edge.
    pub right_edge: bool,
    /// The cloth must reach the upper edge.
    pub top_edge: bool,
    /// Widest strip without cloth at an edge that must be reached, as a share of the picture's width or height, 0 to 1.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub maximal_gap: f32,
    /// The text as it stands on the cloth. None: whether the text is clear or mirrored is not judged.
    #[serde(default)]
    pub text: Option<TextTemplate>,
}

/// The shape of the text on the cloth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = BackdropText)]
#[serde(deny_unknown_fields)]
pub struct TextTemplate {
    /// Rows of the shape, all of one length (8 to 128 signs, 4 to 32 rows): `#` is ink, `+` its rim, `.` is cloth. It must
    /// differ
    /// from its mirror image.
    #[schema(min_items = 4, max_items = 32)]
    pub rows: Vec<String>,
    /// Least height of the text, as a share of the picture's height.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub height_from: f32,
    /// Greatest height of the text, as a share of the picture's height.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub height_to: f32,
    /// Where the text ends at the lowest, as a share of the picture's height; above it is searched.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub bottom: f32,
    /// Least correlation at which the text counts as legible, 0 to 1.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub minimal_match: f32,
}

impl BackdropProfile {
    /// The profile that ships with the program (`src/catalogue/data/backdrop_profiles.json`, row `default`).
    ///
    /// # Panics
    /// When the shipped file has no such row, which a test rules out.
    pub fn shipped() -> &'static Self {
        let mut rows = crate::catalogue::data::backdrop_profiles().iter();
        &rows.find(|row| row.code == "default").expect("the shipped file has the row `default`").profile
    }

    /// Whether the numbers can be used; what is wrong otherwise.
    ///
    /// # Errors
    /// Names the first field that is out of its range.
    pub fn validate(&self) -> Result<(), String> {
        let hue = |name: &str, value: f32| in_range(name, value, 0.0, 360.0);
        let share = |name: &str, value: f32| in_range(name, value, 0.0, 1.0);
        hue("hue_from", self.hue_from)?;
        hue("hue_to", self.hue_to)?;
        share("saturation_from", self.saturation_from)?;
        share("value_from", self.value_from)?;
        share("value_to", self.value_to)?;
        share("minimal_share", self.minimal_share)?;
        share("minimal_evenness", self.minimal_evenness)?;
        share("maximal_gap", self.maximal_gap)?;
        let Some(text) = &self.text else { return Ok(()) };
        share("text.height_to", text.height_to)?;
        in_range("text.height_from", text.height_from, 0.005, text.height_to)?;
        share("text.bottom", text.bottom)?;
        share("text.minimal_match", text.minimal_match)?;
        text.validate()
    }

    /// Whether a colour is the cloth's. `hue` in degrees, the others 0 to 1.
    pub(super) fn is_cloth(&self, hue: f32, saturation: f32, value: f32) -> bool {
        let is_hue = if self.hue_from <= self.hue_to {
            (self.hue_from..=self.hue_to).contains(&hue)
        } else {
            hue >= self.hue_from || hue <= self.hue_to
        };
        is_hue && saturation >= self.saturation_from && (self.value_from..=self.value_to).contains(&value)
    }
}

impl TextTemplate {
    /// How much ink a sign stands for, 0 to 1.
    pub(super) fn ink_of(sign: u8) -> f32 {
        match sign {
            b'#' => 1.0,
            b'+' => 0.5,
            _ => 0.0,
        }
    }

    fn validate(&self) -> Result<(), String> {
        let width = self.rows.first().map_or(0, |row| row.len());
        if !(8..=128).contains(&width) || !(4..=32).contains(&self.rows.len()) {
            return Err("text.rows: 4 to 32 rows of 8 to 128 signs".to_owned());
        }
        if self.rows.iter().any(|row| row.len() != width || row.bytes().any(|sign| !b"#+.".contains(&sign))) {
            return Err("text.rows: rows of one length made of #, + and .".to_owned());
        }
        if self.rows.iter().all(|row| row.bytes().eq(row.bytes().rev())) {
            return Err("text.rows: the shape does not differ from its mirror image".to_owned());
        }
        Ok(())
    }
}

fn in_range(name: &str, value: f32, from: f32, to: f32) -> Result<(), String> {
    if (from..=to).contains(&value) { Ok(()) } else { Err(format!("{name}: {from} to {to}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_profile_is_valid() {
        assert_eq!(BackdropProfile::shipped().validate(), Ok(()));
    }

    #[test]
    fn a_profile_out_of_range_is_named() {
        let mut profile = BackdropProfile::shipped().clone();
        profile.hue_from = f32::NAN;
        assert_eq!(profile.validate(), Err("hue_from: 0 to 360".to_owned()));
        let mut profile = BackdropProfile::shipped().clone();
        let rows = vec!["##....##".to_owned(); 4];
        profile.text =
            Some(TextTemplate { rows, height_from: 0.02, height_to: 0.2, bottom: 0.4, minimal_match: 0.5 });
        assert!(profile.validate().is_err_and(|fault| fault.contains("mirror")));
    }

    #[test]
    fn a_hue_range_may_cross_zero() {
        let profile = BackdropProfile { hue_from: 350.0, hue_to: 10.0, ..BackdropProfile::shipped().clone() };
        assert!(profile.is_cloth(355.0, 0.8, 0.6) && profile.is_cloth(5.0, 0.8, 0.6));
        assert!(!profile.is_cloth(180.0, 0.8, 0.6));
    }
}
