//! Packs the OpenAPI document for the program: it is two and a half megabytes of text, and nearly every client takes it packed.

use std::{env, fs, io, path::Path};

use flate2::{Compression, GzBuilder};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=openapi/openapi.json");
    let text = fs::read("openapi/openapi.json")?;
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    let file = fs::File::create(Path::new(&out).join("openapi.json.gz"))?;
    // No time in the header: the same document makes the same program.
    let mut packer = GzBuilder::new().write(file, Compression::best());
    io::Write::write_all(&mut packer, &text)?;
    packer.finish().map(drop)
}
