//! Packs the OpenAPI document for the program: it is two and a half megabytes of text, and nearly every client takes it packed.
//! Has the linker write the addresses that the loader must correct in their packed form.

use std::{env, fs, io, path::Path, process::Command};

use flate2::{Compression, GzBuilder};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=openapi/openapi.json");
    if loader_unpacks_addresses() {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    let text = fs::read("openapi/openapi.json")?;
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    let file = fs::File::create(Path::new(&out).join("openapi.json.gz"))?;
    // No time in the header: the same document makes the same program.
    let mut packer = GzBuilder::new().write(file, Compression::best());
    io::Write::write_all(&mut packer, &text)?;
    packer.finish().map(drop)
}

/// A bit for each address that the loader must correct instead of 24 bytes: 1.5 MiB less to store, and to read at the start. The
/// loaders of glibc 2.36 (Debian 12) and later understand it.
fn loader_unpacks_addresses() -> bool {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux")
        || env::var_os("HOST") != env::var_os("TARGET")
    {
        return false;
    }
    let Ok(told) = Command::new("getconf").arg("GNU_LIBC_VERSION").output() else { return false };
    let version = String::from_utf8_lossy(&told.stdout);
    let minor =
        version.trim().strip_prefix("glibc 2.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    minor.is_some_and(|minor| minor >= 36)
}
