//! Puts the files of Swagger UI that `/docs` serves beside the build. They lie packed in an archive that a crate carries,
//! and stay as they are packed: each gets the frame of a gzip file, which is how browsers take it. Nothing is downloaded.

use std::error::Error;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::{CompressionMethod, ZipArchive};

const FILES: &[&str] = &["dist/swagger-ui-bundle.js", "dist/swagger-ui.css", "LICENSE"];

/// A gzip file that was deflated, without a name and a date.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo tells no folder")?);
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let mut found = 0;
    for index in 0..archive.len() {
        let mut packed = archive.by_index_raw(index)?;
        let path = packed.name()?.into_owned();
        let Some(name) =
            FILES.iter().find(|name| path.split_once('/').is_some_and(|(_, rest)| rest == **name))
        else {
            continue;
        };
        if packed.compression() != CompressionMethod::DEFLATE {
            return Err(format!("`{path}` is not deflated").into());
        }
        let mut gzip = HEAD.to_vec();
        packed.read_to_end(&mut gzip)?;
        gzip.extend(packed.crc32().to_le_bytes());
        gzip.extend(u32::try_from(packed.size())?.to_le_bytes());
        std::fs::write(out.join(name.trim_start_matches("dist/")).with_added_extension("gz"), gzip)?;
        found += 1;
    }
    if found == FILES.len() { Ok(()) } else { Err(format!("the archive has {found} of {FILES:?}").into()) }
}
