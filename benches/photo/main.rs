//! Measures the photo pre-check on composed pictures: a table for each finding, time and memory.
//!
//!     cargo bench --bench photo -- FOLDER [--misses]      FOLDER is made by benches/photo/generate.py
//!     cargo bench --bench photo -- --cost                           time and peak memory at 2, 8 and 12 megapixels
//!
//! `--misses` names every picture that was judged wrongly, with what was measured.

mod cost;
mod table;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    match arguments.iter().find(|argument| !argument.starts_with("--")) {
        Some(megapixels) if has("--one") => cost::one(megapixels),
        Some(folder) => table::print(std::path::Path::new(folder), has("--misses")),
        None if has("--cost") => cost::print(),
        None => println!("nothing to measure: name a folder made by benches/photo/generate.py, or --cost"),
    }
}
