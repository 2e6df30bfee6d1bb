//! Faces: SeetaFace's frontal detector (`rustface`), whose model is part of the program (BSD-2-Clause, see `model/`).

use std::io::Cursor;
use std::sync::OnceLock;

use rustface::{ImageData, Model};

use super::Region;
use super::picture::{Picture, Rect};

/// Lowest score that counts as a face.
const MIN_SCORE: f64 = 2.5;
/// Faces narrower than this share of the widest one are patterns of cloth or pictures on the wall.
const MIN_OF_WIDEST: f64 = 0.25;

/// A face in the upright picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    /// From the brows to the chin, in pixels of the upright picture.
    pub region: Region,
    /// The detector's score; open scale, real faces mostly 5 to 40.
    pub score: f64,
    /// The same box in pixels of the working picture.
    pub(super) rect: Rect,
}

impl Face {
    /// Middle of the face in pixels of the working picture.
    pub(super) fn centre(&self) -> (f64, f64) {
        ((self.rect.x0 + self.rect.x1) as f64 / 2.0, (self.rect.y0 + self.rect.y1) as f64 / 2.0)
    }

    /// Side of the face's box in pixels of the working picture.
    pub(super) fn side(&self) -> f64 {
        self.rect.width() as f64
    }
}

/// The faces, the widest first.
pub(super) fn find(picture: &Picture, grey: &[u8]) -> Vec<Face> {
    let short = picture.width.min(picture.height) as u32;
    if short < 60 {
        return Vec::new();
    }
    let mut detector = rustface::create_detector_with_model(model().clone());
    detector.set_min_face_size((short / 20).max(24));
    detector.set_score_thresh(MIN_SCORE);
    detector.set_pyramid_scale_factor(0.8);
    detector.set_slide_window_step(4, 4);
    let found = detector.detect(&ImageData::new(grey, picture.width as u32, picture.height as u32));
    let mut faces: Vec<Face> = found
        .iter()
        .map(|face| {
            let bbox = face.bbox();
            let rect = picture.clip(
                f64::from(bbox.x()),
                f64::from(bbox.y()),
                f64::from(bbox.width()),
                f64::from(bbox.height()),
            );
            Face { region: picture.region(rect), score: face.score(), rect }
        })
        .filter(|face| face.rect.width() > 0 && face.rect.height() > 0)
        .collect();
    faces.sort_by(|a, b| b.side().total_cmp(&a.side()).then(b.score.total_cmp(&a.score)));
    let widest = faces.first().map_or(0.0, Face::side);
    faces.retain(|face| face.side() >= widest * MIN_OF_WIDEST);
    faces
}

fn model() -> &'static Model {
    static KEPT: OnceLock<Model> = OnceLock::new();
    KEPT.get_or_init(|| {
        rustface::read_model(Cursor::new(include_bytes!("model/seeta_fd_frontal_v1.0.bin")))
            .expect("the model is part of the program")
    })
}
