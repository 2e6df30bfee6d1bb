//! From measurements to findings: the limits.

use chrono::{Datelike, NaiveDate};

use super::backdrop::Edge;
use super::examination::Examination;
use super::fingerprint::Fingerprint;
use super::switches::Switches;
use super::{Finding, Region};
use crate::catalogue::data;

/// Least and greatest height of the face, brows to chin, as a share of the picture's height: below, the person stands too
/// far away; above, it is no upper body any more.
const FACE_HEIGHT: (f32, f32) = (0.11, 0.42);
/// Least space above the face for forehead and hair, as a share of the face's height.
const SPACE_ABOVE: f32 = 0.2;
/// Least space below the face for neck and shoulders, as a share of the face's height.
const SPACE_BELOW: f32 = 0.8;
/// Greatest blur of the face.
const MAX_BLUR: f32 = 0.56;
/// Least brightness of the face (luminance) together with [`MIN_LIGHTS`]: a dark skin in good light is no dark picture.
const MIN_BRIGHTNESS: f32 = 45.0;
/// Least luminance of the brightest parts of the picture.
const MIN_LIGHTS: f32 = 110.0;
/// Greatest brightness of the face (luminance).
const MAX_BRIGHTNESS: f32 = 225.0;
/// Greatest share of the face whose brightest channel is at the upper end.
const MAX_CLIPPED: f32 = 0.2;
/// Least share of red or blue in the top.
const COLOUR_SHARE: f32 = 0.3;
/// How much better the mirrored text must fit than the upright one.
const MIRROR_MARGIN: f32 = 0.1;
/// A photo of another season counts when it is older than this, in days: clothes do not change overnight.
const SEASON_DAYS: i64 = 30;

/// What is compared with the measurements.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Today in Asia/Shanghai.
    pub today: NaiveDate,
    /// The date in Asia/Shanghai on which the initial review passed; none when it is not known.
    pub reviewed_on: Option<NaiveDate>,
    /// Which findings block, warn or are off.
    pub switches: &'a Switches,
    /// Exactly this file belongs to another filing, or to an attempt of this one that was decided. Whose it was is never told.
    pub is_used_exactly: bool,
    /// Fingerprints of such photos.
    pub used_fingerprints: &'a [Fingerprint],
}

/// The findings, in the order of the codes in the domain. Cheap.
pub fn judge(examination: &Examination, context: &Context<'_>) -> Vec<Finding> {
    let mut list = List { switches: context.switches, findings: Vec::new() };
    size(examination, &mut list);
    faces(examination, &mut list);
    backdrop(examination, &mut list);
    text(examination, &mut list);
    clothes(examination, &mut list);
    season(examination, context, &mut list);
    reuse(examination, context, &mut list);
    if let Some(editor) = examination.facts.editor {
        list.add(super::EDITED, Some(editor.to_owned()), None, None);
    }
    quality(examination, &mut list);
    list.findings
}

struct List<'a> {
    switches: &'a Switches,
    findings: Vec<Finding>,
}

impl List<'_> {
    fn add(&mut self, code: &str, measured: Option<String>, limit: Option<String>, region: Option<Region>) {
        if let Some(severity) = self.switches.severity(code) {
            self.findings.push(Finding { code: code.to_owned(), severity, measured, limit, region });
        }
    }
}

/// At least 600×800 pixels, whichever way the picture lies.
fn size(seen: &Examination, list: &mut List<'_>) {
    let guide = data::photo_guide();
    let (short, long) = (guide.min_width.min(guide.min_height), guide.min_width.max(guide.min_height));
    if seen.width.min(seen.height) < short || seen.width.max(seen.height) < long {
        let measured = format!("{}×{} px", seen.width, seen.height);
        let limit = format!("{}×{} px", guide.min_width, guide.min_height);
        list.add(super::TOO_SMALL, Some(measured), Some(limit), None);
    }
}

fn faces(seen: &Examination, list: &mut List<'_>) {
    let Some(face) = seen.faces.first() else {
        return list.add(super::NO_FACE, Some("0".to_owned()), Some("1".to_owned()), None);
    };
    if let Some(second) = seen.faces.get(1) {
        let count = seen.faces.len().to_string();
        // Which of several is the person is not known: place and size are not judged.
        return list.add(super::SEVERAL_FACES, Some(count), Some("1".to_owned()), Some(second.region));
    }
    let width = seen.working.0 as f32;
    let x = face.centre().0 as f32 / width;
    if !(1.0 / 3.0..=2.0 / 3.0).contains(&x) {
        let limit = Some("0.33–0.67".to_owned());
        list.add(super::NOT_CENTERED, Some(format!("{x:.2}")), limit, Some(face.region));
    }
    let height = seen.working.1 as f32;
    let side = face.rect.height() as f32;
    let share = side / height;
    let above = face.rect.y0 as f32 / side;
    let below = (height - face.rect.y1 as f32) / side;
    let told = if !(FACE_HEIGHT.0..=FACE_HEIGHT.1).contains(&share) {
        Some((format!("{share:.2}"), format!("{}–{}", FACE_HEIGHT.0, FACE_HEIGHT.1)))
    } else if above < SPACE_ABOVE {
        Some((format!("↑ {above:.2}"), format!("≥ {SPACE_ABOVE}")))
    } else if below < SPACE_BELOW {
        Some((format!("↓ {below:.2}"), format!("≥ {SPACE_BELOW}")))
    } else {
        None
    };
    if let Some((measured, limit)) = told {
        list.add(super::NOT_UPPER_BODY, Some(measured), Some(limit), Some(face.region));
    }
}

fn backdrop(seen: &Examination, list: &mut List<'_>) {
    let cloth = &seen.backdrop;
    if !cloth.is_there() {
        let (measured, limit) = if cloth.share < cloth.minimal_share {
            (cloth.share, cloth.minimal_share)
        } else {
            (cloth.evenness, cloth.minimal_evenness)
        };
        let (measured, limit) = (format!("{:.0} %", measured * 100.0), format!("≥ {:.0} %", limit * 100.0));
        return list.add(super::BACKDROP_MISSING, Some(measured), Some(limit), None);
    }
    let widest = cloth.gaps.iter().filter(|(_, gap)| *gap > cloth.maximal_gap);
    let Some((edge, gap)) = widest.max_by(|a, b| a.1.total_cmp(&b.1)) else { return };
    let sign = match edge {
        Edge::Left => "←",
        Edge::Right => "→",
        Edge::Top => "↑",
    };
    let strip = seen.region(cloth.strip(*edge, *gap, seen.working.0, seen.working.1));
    let limit = format!("≤ {:.0} %", cloth.maximal_gap * 100.0);
    list.add(super::BACKDROP_CROPPED, Some(format!("{sign} {:.0} %", gap * 100.0)), Some(limit), Some(strip));
}

/// Judged only before the cloth and with its template. A text that fits neither way is unclear, and not called mirrored.
fn text(seen: &Examination, list: &mut List<'_>) {
    let Some(text) = seen.text.filter(|_| seen.backdrop.is_there()) else { return };
    let limit = Some(format!("≥ {:.2}", text.minimal));
    if text.upright.max(text.mirrored) < text.minimal {
        let measured = format!("{:.2}", text.upright.max(0.0));
        list.add(super::TEXT_UNCLEAR, Some(measured), limit, None);
    } else if text.mirrored > text.upright + MIRROR_MARGIN {
        let measured = format!("⇄ {:.2}", text.mirrored);
        let limit = Some(format!("≤ {:.2}", text.upright.max(0.0) + MIRROR_MARGIN));
        list.add(super::MIRRORED, Some(measured), limit, Some(text.region));
    }
}

fn clothes(seen: &Examination, list: &mut List<'_>) {
    let Some(top) = seen.clothes.filter(|_| seen.faces.len() == 1) else { return };
    let (share, sign) = if top.red >= top.blue { (top.red, "R") } else { (top.blue, "B") };
    if share >= COLOUR_SHARE {
        let measured = format!("{sign} {:.0} %", share * 100.0);
        let limit = format!("< {:.0} %", COLOUR_SHARE * 100.0);
        list.add(super::CLOTHES_COLOUR, Some(measured), Some(limit), Some(top.region));
    }
}

/// A date in the future is a camera with a wrong clock and says nothing.
fn season(seen: &Examination, context: &Context<'_>, list: &mut List<'_>) {
    let Some(taken) = seen.facts.taken_on.filter(|taken| *taken <= context.today) else { return };
    let limit = match context.reviewed_on {
        Some(reviewed) if taken < reviewed => reviewed,
        _ if (context.today - taken).num_days() > SEASON_DAYS && quarter(taken) != quarter(context.today) => {
            context.today
        }
        _ => return,
    };
    list.add(super::CLOTHES_SEASON, Some(taken.to_string()), Some(format!("≥ {limit}")), None);
}

/// Seasons by whole months: March to May, June to August, September to November, December to February.
fn quarter(date: NaiveDate) -> u32 {
    date.month() % 12 / 3
}

fn reuse(seen: &Examination, context: &Context<'_>, list: &mut List<'_>) {
    if context.is_used_exactly {
        return list.add(super::REUSED, None, None, None);
    }
    let nearest = context.used_fingerprints.iter().map(|used| used.distance(&seen.fingerprint)).min();
    if let Some(distance) = nearest.filter(|distance| *distance <= Fingerprint::MAX_DISTANCE) {
        let limit = format!("> {}", Fingerprint::MAX_DISTANCE);
        list.add(super::REUSED, Some(distance.to_string()), Some(limit), None);
    }
}

fn quality(seen: &Examination, list: &mut List<'_>) {
    let quality = &seen.quality;
    let region = seen.faces.first().map(|face| face.region);
    if quality.blur > MAX_BLUR {
        list.add(super::BLURRED, Some(format!("{:.2}", quality.blur)), Some(format!("≤ {MAX_BLUR}")), region);
    }
    let told = if quality.brightness < MIN_BRIGHTNESS && quality.lights < MIN_LIGHTS {
        Some((format!("{:.0}", quality.brightness), format!("≥ {MIN_BRIGHTNESS}")))
    } else if quality.brightness > MAX_BRIGHTNESS {
        Some((format!("{:.0}", quality.brightness), format!("≤ {MAX_BRIGHTNESS}")))
    } else if quality.clipped > MAX_CLIPPED {
        Some((format!("{:.0} % ≥ 250", quality.clipped * 100.0), format!("≤ {:.0} %", MAX_CLIPPED * 100.0)))
    } else {
        None
    };
    if let Some((measured, limit)) = told {
        list.add(super::EXPOSURE, Some(measured), Some(limit), region);
    }
}
