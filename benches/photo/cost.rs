//! Time and peak memory of one check, each in a process of its own.

use std::io::Cursor;
use std::process::Command;

use beian::photo_verifications::precheck::{BackdropProfile, Context, Switches, check, examine, preview};
use chrono::NaiveDate;
use image::{DynamicImage, ImageFormat, imageops::FilterType};

/// Sizes in megapixels with their sides in pixels.
const SIZES: [(&str, u32, u32); 4] =
    [("2", 1224, 1632), ("8", 2448, 3264), ("12", 3000, 4000), ("50", 6120, 8160)];
/// Repetitions; the median counts.
const TIMES: usize = 5;

/// Prints the table.
pub fn print() {
    let program = std::env::current_exe().expect("this program has a path");
    println!(
        "| megapixels | file | check, median of 5 | preview | peak memory of the process |\n|---|---|---|---|---|"
    );
    for (megapixels, _, _) in SIZES {
        for kind in ["jpeg", "png"] {
            let output = Command::new(&program)
                .args(["--one", &format!("{megapixels}:{kind}")])
                .output()
                .expect("the child runs");
            print!("{}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

/// Measures one size in this process: `12:jpeg`. The picture lies in a file, made by a process before it, so that making it
/// does not count.
pub fn one(which: &str) {
    let (megapixels, kind) = which.split_once(':').expect("size and kind");
    let (_, width, height) = *SIZES.iter().find(|(name, _, _)| *name == megapixels).expect("a known size");
    let path = std::env::temp_dir().join(format!("photo-{megapixels}-{}.{kind}", std::process::id()));
    if let Some(made) = std::env::var_os("MAKE") {
        return std::fs::write(made, draw(width, height, kind)).expect("the picture is written");
    }
    let program = std::env::current_exe().expect("this program has a path");
    Command::new(program).args(["--one", which]).env("MAKE", &path).status().expect("the maker runs");
    let bytes = std::fs::read(&path).expect("the picture");
    std::fs::remove_file(&path).expect("the picture can be removed");
    let content_type = format!("image/{kind}");
    let switches = Switches::default();
    let context = Context {
        today: NaiveDate::from_ymd_opt(2026, 11, 25).expect("a date"),
        reviewed_on: None,
        switches: &switches,
        is_used_exactly: false,
        used_fingerprints: &[],
    };
    let mut times: Vec<f64> = (0..TIMES)
        .map(|_| {
            let begun = processor_time();
            let findings = check(&bytes, &content_type, BackdropProfile::shipped(), &context);
            assert!(findings.is_empty(), "{findings:?}");
            processor_time() - begun
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let peak = peak_memory();
    let seen = examine(&bytes, &content_type, BackdropProfile::shipped()).expect("a picture");
    let begun = processor_time();
    preview(&bytes, &content_type, &seen).expect("a preview");
    let preview = processor_time() - begun;
    println!(
        "| {megapixels} | {kind}, {:.1} MiB | {:.0} ms | {preview:.0} ms | {peak} MiB |",
        bytes.len() as f64 / 1024.0 / 1024.0,
        times[TIMES / 2]
    );
}

/// The good example photo, enlarged.
fn draw(width: u32, height: u32, kind: &str) -> Vec<u8> {
    let photo =
        image::load_from_memory(include_bytes!("../../examples/files/photo.jpg")).expect("the example");
    let large =
        DynamicImage::ImageRgb8(photo.resize_exact(width, height, FilterType::CatmullRom).into_rgb8());
    let mut bytes = Cursor::new(Vec::new());
    let format = if kind == "png" { ImageFormat::Png } else { ImageFormat::Jpeg };
    large.write_to(&mut bytes, format).expect("it can be encoded");
    bytes.into_inner()
}

/// Time that this thread has run on a core, in milliseconds (Linux): other programs on the machine do not count.
fn processor_time() -> f64 {
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = status.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
    nanoseconds.unwrap_or_default() / 1e6
}

/// The highest resident size of this process so far, in MiB (Linux).
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}
