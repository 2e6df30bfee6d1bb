//! The provider's cloth: how much of the background it fills, whether it is one cloth, and whether it reaches the edges.

use super::faces::Face;
use super::picture::{Picture, Rect, hsv, median};
use super::profile::BackdropProfile;

/// Cells of the mask along the picture's long side.
const CELLS: usize = 200;
/// Hues within this distance of the median belong to the same cloth, in degrees.
const SAME_HUE: f32 = 15.0;
/// A column or row of cells belongs to a gap when less than this share of it is cloth.
const GAP_SHARE: f32 = 0.5;
/// Columns or rows of which fewer cells than this are background say nothing.
const MIN_CELLS: usize = 6;

/// A strip without cloth at an edge that is wider than this share of the side is no cropped cloth any more.
const WIDEST_CROP: f32 = 0.25;

/// An edge that the cloth may have to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The left edge of the picture.
    Left,
    /// The right edge of the picture.
    Right,
    /// The upper edge of the picture.
    Top,
}

/// What was measured of the cloth.
#[derive(Clone, Debug, PartialEq)]
pub struct Backdrop {
    /// Share of the cloth in what is not the person, 0 to 1.
    pub share: f32,
    /// Share of the cloth whose hue is near the cloth's median hue, 0 to 1.
    pub evenness: f32,
    /// For each edge that must be reached: the strip without cloth, as a share of the width or height.
    pub gaps: Vec<(Edge, f32)>,
    /// Least share, by the profile.
    pub(super) minimal_share: f32,
    /// Least evenness, by the profile.
    pub(super) minimal_evenness: f32,
    /// Widest gap, by the profile.
    pub(super) maximal_gap: f32,
    pub(super) mask: Mask,
}

/// Which cells of the picture are cloth.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mask {
    pub width: usize,
    pub height: usize,
    /// Pixels of the working picture for each cell.
    pub step: usize,
    pub is_cloth: Vec<bool>,
}

impl Backdrop {
    /// Whether the cloth is behind the person.
    pub(super) fn is_there(&self) -> bool {
        self.share >= self.minimal_share && self.evenness >= self.minimal_evenness
    }

    /// The strip that lacks cloth at an edge, in pixels of the working picture.
    pub(super) fn strip(&self, edge: Edge, gap: f32, width: usize, height: usize) -> Rect {
        let across = |size: usize| ((size as f32 * gap).ceil() as usize).clamp(1, size.max(1));
        match edge {
            Edge::Left => Rect { x0: 0, y0: 0, x1: across(width), y1: height },
            Edge::Right => Rect { x0: width - across(width), y0: 0, x1: width, y1: height },
            Edge::Top => Rect { x0: 0, y0: 0, x1: width, y1: across(height) },
        }
    }
}

/// Measures the cloth around people, whose place is known by their faces.
pub(super) fn measure(picture: &Picture, faces: &[Face], profile: &BackdropProfile) -> Backdrop {
    let step = (picture.width.max(picture.height) / CELLS).max(1);
    let (width, height) = (picture.width.div_ceil(step), picture.height.div_ceil(step));
    let colours: Vec<(f32, f32, f32)> =
        (0..width * height).map(|i| hsv(cell(picture, i % width, i / width, step))).collect();
    let raw: Vec<bool> = colours.iter().map(|(h, s, v)| profile.is_cloth(*h, *s, *v)).collect();
    let people = People::of(faces, step as f64, width, height);
    let gap = |edge: Edge| {
        let (lines, length) = if edge == Edge::Top { (height, width) } else { (width, people.shoulders) };
        let line = |i: usize| {
            let (mut all, mut cloth) = (0_usize, 0_usize);
            for j in 0..length {
                let (x, y) = match edge {
                    Edge::Left => (i, j),
                    Edge::Right => (width - 1 - i, j),
                    Edge::Top => (j, i),
                };
                if people.is_background(x, y) {
                    all += 1;
                    cloth += usize::from(raw[y * width + x]);
                }
            }
            all >= MIN_CELLS && (cloth as f32) < all as f32 * GAP_SHARE
        };
        (0..lines).take_while(|i| line(*i)).count()
    };
    let (left, right, top) = (gap(Edge::Left), gap(Edge::Right), gap(Edge::Top));
    // A cloth that ends before an edge is cropped, not missing: what lies beyond its end does not count as background.
    let beyond = |gap: usize, size: usize| if gap as f32 <= size as f32 * WIDEST_CROP { gap } else { 0 };
    let columns = beyond(left, width)..width - beyond(right, width);
    // Ink on the cloth and its seams are closed, so that the cloth's own name does not count against it.
    let closed = close(&raw, width, height, (width.max(height) / 40).max(1));
    let (mut background, mut cloth, mut hues) = (0_usize, 0_usize, Vec::new());
    for y in beyond(top, height)..height {
        for x in columns.clone().filter(|x| people.is_background(*x, y)) {
            let i = y * width + x;
            background += 1;
            cloth += usize::from(closed[i]);
            hues.extend(raw[i].then_some(colours[i].0));
        }
    }
    let middle = median(hues.clone());
    let near = hues.iter().filter(|hue| (*hue - middle).abs().min(360.0 - (*hue - middle).abs()) <= SAME_HUE);
    let evenness = if hues.is_empty() { 0.0 } else { near.count() as f32 / hues.len() as f32 };
    let share_of = |gap: usize, size: usize| gap as f32 / size.max(1) as f32;
    let wanted = [
        (Edge::Left, profile.left_edge, share_of(left, width)),
        (Edge::Right, profile.right_edge, share_of(right, width)),
        (Edge::Top, profile.top_edge, share_of(top, height)),
    ];
    Backdrop {
        share: if background == 0 { 0.0 } else { cloth as f32 / background as f32 },
        evenness,
        gaps: wanted.into_iter().filter(|wanted| wanted.1).map(|(edge, _, gap)| (edge, gap)).collect(),
        minimal_share: profile.minimal_share,
        minimal_evenness: profile.minimal_evenness,
        maximal_gap: profile.maximal_gap,
        mask: Mask { width, height, step, is_cloth: closed },
    }
}

/// The mean colour of a cell.
fn cell(picture: &Picture, x: usize, y: usize, step: usize) -> [u8; 3] {
    let rect = Rect {
        x0: x * step,
        y0: y * step,
        x1: (x * step + step).min(picture.width),
        y1: (y * step + step).min(picture.height),
    };
    let mut sums = [0_u32; 3];
    for (x, y) in rect.points(1) {
        for (sum, value) in sums.iter_mut().zip(picture.at(x, y)) {
            *sum += u32::from(value);
        }
    }
    let count = (rect.width() * rect.height()).max(1) as u32;
    sums.map(|sum| (sum / count) as u8)
}

/// Where people hide the cloth, in cells. Without a face, only the upper corners count as background.
struct People {
    /// Middle and side of each face.
    faces: Vec<(f64, f64, f64)>,
    width: usize,
    /// Below this row, arms and shoulders reach to the sides.
    shoulders: usize,
}

impl People {
    fn of(faces: &[Face], step: f64, width: usize, height: usize) -> Self {
        let faces: Vec<_> = faces
            .iter()
            .map(|face| {
                let (x, y) = face.centre();
                (x / step, y / step, face.side() / step)
            })
            .collect();
        let shoulders = faces.iter().map(|(_, y, side)| y + side * 0.9).reduce(f64::min);
        let shoulders = shoulders.unwrap_or(height as f64 * 0.5) as usize;
        Self { faces, width, shoulders: shoulders.clamp(1, height.max(1)) }
    }

    fn is_background(&self, x: usize, y: usize) -> bool {
        if self.faces.is_empty() {
            return y < self.shoulders && (x * 4 < self.width || x * 4 >= self.width * 3);
        }
        self.faces.iter().all(|(cx, cy, side)| {
            let (dx, dy) = ((x as f64 + 0.5 - cx).abs() / side, (y as f64 + 0.5 - cy) / side);
            // The head with hair: an ellipse around the face, somewhat higher than it.
            let is_head = dx.powi(2) + ((dy + 0.15) / 1.25).powi(2) <= 1.0;
            // Neck, shoulders, arms: from the chin outwards; below the chest nothing is told apart.
            let is_body = dy > 0.3 && dx < 0.7 + (dy - 0.3) * 1.6;
            !is_head && !is_body && dy < 1.6
        })
    }
}

/// Morphological closing with a square; beyond the edges there is cloth where the edge is cloth.
fn close(mask: &[bool], width: usize, height: usize, radius: usize) -> Vec<bool> {
    spread(&spread(mask, width, height, radius, true), width, height, radius, false)
}

/// Spreads a value to every cell within the radius.
fn spread(mask: &[bool], width: usize, height: usize, radius: usize, value: bool) -> Vec<bool> {
    let line = |get: &dyn Fn(usize) -> bool, length: usize| -> Vec<bool> {
        let mut last: Option<usize> = None;
        let mut distance = vec![usize::MAX; length];
        for (i, cell) in distance.iter_mut().enumerate() {
            if get(i) == value {
                last = Some(i);
            }
            *cell = last.map_or(usize::MAX, |last| i - last);
        }
        let mut next: Option<usize> = None;
        for i in (0..length).rev() {
            if get(i) == value {
                next = Some(i);
            }
            distance[i] = distance[i].min(next.map_or(usize::MAX, |next| next - i));
        }
        distance.iter().map(|d| if *d <= radius { value } else { !value }).collect()
    };
    let mut rows = Vec::with_capacity(mask.len());
    for y in 0..height {
        rows.extend(line(&|x| mask[y * width + x], width));
    }
    let mut done = vec![false; mask.len()];
    for x in 0..width {
        for (y, cell) in line(&|y| rows[y * width + x], height).into_iter().enumerate() {
            done[y * width + x] = cell;
        }
    }
    done
}
