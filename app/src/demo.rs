//! The demo session: beside the program when there, else the copy built into it.

use crate::failure::Failure;
use onetape_tape::session::SessionReader;
use std::path::{Path, PathBuf};

/// Where the repository keeps it.
const PLACE: &str = "replay-data/one-2d";

/// Opens the demo session.
pub(crate) fn open() -> Result<SessionReader, Failure> {
    match beside() {
        Some(path) => Ok(SessionReader::open(&path)?),
        None => Err(Failure::input("no demo session here; name one with --session")),
    }
}

/// The session in the working folder's repository, if that is where we are.
fn beside() -> Option<PathBuf> {
    let path = Path::new(PLACE);
    path.join("manifest.json").is_file().then(|| path.to_path_buf())
}
