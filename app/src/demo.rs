//! The demo session: beside the program when there, else the copy built into it.

use crate::failure::Failure;
use onetape_tape::session::{Embedded, SessionReader};
use std::path::{Path, PathBuf};

/// Where the repository keeps it.
const PLACE: &str = "replay-data/one-2d";

pub(crate) static BUILT_IN: Embedded = Embedded {
    name: "the built-in demo session",
    manifest: include_bytes!("../../replay-data/one-2d/manifest.json"),
    blocks: include_bytes!("../../replay-data/one-2d/blocks.tape"),
    files: &[("history.csv", include_bytes!("../../replay-data/one-2d/history.csv"))],
};

/// Opens the demo session.
pub(crate) fn open() -> Result<SessionReader, Failure> {
    match beside() {
        Some(path) => Ok(SessionReader::open(&path)?),
        None => Ok(SessionReader::embedded(&BUILT_IN)?),
    }
}

/// The session in the working folder's repository, if that is where we are.
fn beside() -> Option<PathBuf> {
    let path = Path::new(PLACE);
    path.join("manifest.json").is_file().then(|| path.to_path_buf())
}
