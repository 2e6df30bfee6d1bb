//! What the metadata of a photo tell: when it was taken, with what, and whether an editor saved it.

use chrono::NaiveDate;
use exif::{In, Reader, Tag, Value};

/// Most of the XMP text that is looked at, in bytes.
const MAX_XMP: usize = 256 * 1024;

/// Facts from EXIF and XMP. A part that is missing or broken is none: most messengers remove metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Local date on which the camera took it.
    pub taken_on: Option<NaiveDate>,
    /// Maker and model of the camera.
    pub camera: Option<String>,
    /// The editor that saved it, as this program names it; never text of the file.
    pub editor: Option<&'static str>,
}

/// Programs that change what a photo shows, by a part of the name that they leave (lower case), and as they are shown.
/// Cameras' own programs and converters that only copy are not here.
const EDITORS: &[(&str, &str)] = &[
    ("photoshop", "Adobe Photoshop"),
    ("lightroom", "Adobe Lightroom"),
    ("gimp", "GIMP"),
    ("snapseed", "Snapseed"),
    ("picsart", "PicsArt"),
    ("meitu", "Meitu"),
    ("美图", "Meitu"),
    ("beautycam", "BeautyCam"),
    ("beautyplus", "BeautyPlus"),
    ("美颜", "BeautyCam"),
    ("facetune", "Facetune"),
    ("faceapp", "FaceApp"),
    ("faceu", "Faceu"),
    ("b612", "B612"),
    ("轻颜", "Ulike"),
    ("ulike", "Ulike"),
    ("醒图", "Xingtu"),
    ("xingtu", "Xingtu"),
    ("vsco", "VSCO"),
    ("pixlr", "Pixlr"),
    ("canva", "Canva"),
    ("affinity photo", "Affinity Photo"),
    ("paint.net", "Paint.NET"),
    ("photoscape", "PhotoScape"),
    ("pixelmator", "Pixelmator"),
    ("acdsee", "ACDSee"),
    ("picasa", "Picasa"),
    ("remini", "Remini"),
    ("capture one", "Capture One"),
    ("luminar", "Luminar"),
    ("krita", "Krita"),
    ("corel", "Corel PaintShop"),
    ("imagemagick", "ImageMagick"),
    ("stable diffusion", "Stable Diffusion"),
    ("midjourney", "Midjourney"),
    ("firefly", "Adobe Firefly"),
];

/// Reads the facts. Garbage gives none of them.
pub(super) fn read(raw: Option<Vec<u8>>, xmp: Option<&[u8]>) -> Facts {
    let mut facts = raw.and_then(read_exif).unwrap_or_default();
    if facts.editor.is_none() {
        facts.editor = xmp.and_then(|xmp| editor_of_xmp(&xmp[..xmp.len().min(MAX_XMP)]));
    }
    facts
}

/// The fields of an EXIF block, as far as they can be read.
pub(super) fn parse(raw: Vec<u8>) -> Option<exif::Exif> {
    let mut reader = Reader::new();
    reader.continue_on_error(true);
    reader.read_raw(raw).or_else(|fault| fault.distill_partial_result(|_| ())).ok()
}

fn read_exif(raw: Vec<u8>) -> Option<Facts> {
    let exif = parse(raw)?;
    let text = |tag| exif.get_field(tag, In::PRIMARY).and_then(|field| ascii(&field.value));
    let camera = match (text(Tag::Make), text(Tag::Model)) {
        (None, None) => None,
        (make, model) => Some(short(&[make.unwrap_or_default(), model.unwrap_or_default()].join(" "))),
    };
    let taken = text(Tag::DateTimeOriginal).or_else(|| text(Tag::DateTimeDigitized));
    Some(Facts {
        taken_on: taken.as_deref().and_then(date),
        camera,
        editor: [Tag::Software, Tag(exif::Context::Tiff, 0x000B)]
            .into_iter()
            .filter_map(text)
            .find_map(|name| editor(&name)),
    })
}

/// An ASCII value without its filling; UTF-8 is taken as it comes.
pub(super) fn ascii(value: &Value) -> Option<String> {
    let Value::Ascii(parts) = value else { return None };
    let text = String::from_utf8_lossy(parts.first()?);
    let text = text.trim_matches(|sign: char| sign.is_whitespace() || sign == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

fn short(text: &str) -> String {
    text.trim().chars().filter(|sign| !sign.is_control()).take(80).collect()
}

/// `2026:11:05 10:20:30`. A camera whose clock was never set writes zeros or its year of birth: such dates are none.
fn date(text: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text.get(..10)?, "%Y:%m:%d").ok()?;
    (date > NaiveDate::from_ymd_opt(2003, 1, 1)?).then_some(date)
}

fn editor(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    EDITORS.iter().find(|(part, _)| text.contains(part)).map(|(_, name)| *name)
}

/// Only the properties that name the program; a whole XMP block may mention others.
fn editor_of_xmp(xmp: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(xmp);
    ["CreatorTool", "softwareAgent", "HistorySoftwareAgent"].into_iter().find_map(|name| {
        text.match_indices(name).take(64).find_map(|(at, _)| {
            let rest = &text[at + name.len()..];
            // An attribute's value or an element's text, up to its end.
            let value = rest.trim_start_matches(['=', '"', '\'', '>', ' ']);
            let value = value.split(['"', '\'', '<']).next().unwrap_or_default();
            editor(&value.chars().take(80).collect::<String>())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editors_are_known_by_their_names_and_cameras_are_none() {
        for (text, name) in [
            ("Adobe Photoshop 26.1 (Windows)", "Adobe Photoshop"),
            ("醒图 12.4", "Xingtu"),
            ("MeituXiuXiu 11.0", "Meitu"),
            ("GIMP 2.10.38", "GIMP"),
        ] {
            assert_eq!(editor(text), Some(name));
        }
        for camera in ["17.1.1", "HarmonyOS 4.0", "MediaTek Camera Application", "Pixel 8 HDR+", "V14.0.5.0"]
        {
            assert_eq!(editor(camera), None, "{camera}");
        }
    }

    #[test]
    fn an_editor_is_found_in_xmp_where_it_names_the_program_only() {
        let named = br#"<rdf:Description xmp:CreatorTool="Adobe Photoshop Lightroom 8.1"/>"#;
        assert_eq!(read(None, Some(named)).editor, Some("Adobe Photoshop"));
        let mentioned = br#"<rdf:Description xmp:CreatorTool="Pixel 8" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"/>"#;
        assert_eq!(read(None, Some(mentioned)).editor, None);
    }

    #[test]
    fn a_clock_that_was_never_set_tells_no_date() {
        assert_eq!(date("2026:11:05 10:20:30"), NaiveDate::from_ymd_opt(2026, 11, 5));
        for text in ["0000:00:00 00:00:00", "1970:01:01 00:00:00", "2002:12:08 12:00:00", "2026-11", "月", ""]
        {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
