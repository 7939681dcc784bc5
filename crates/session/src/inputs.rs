//! Finding the session that a run in journal mode `refs` refers to.
//!
//! Sessions are recognised by their content hash alone, wherever they lie and whatever they are called. Looked
//! at are, in this order: what the caller names, the place the run's `session.toml` names, sessions built into
//! the program, `session/` in the run folder, and every session in the folder that holds the run folder's parent
//! (`runs/..`): there, in `sessions/` or `replay-data/`, and among the runs.

use crate::settings::Settings;
use onetape_journal::{JournalError, JournalReader};
use onetape_tape::codec::Hash;
use onetape_tape::session::{Catalog, Embedded, MANIFEST_FILE, Manifest, SessionPlace};
use std::path::{Path, PathBuf};

/// Folders beside the runs that are searched for sessions.
const FOLDERS: [&str; 2] = ["sessions", "replay-data"];

/// Where the sessions are that runs may refer to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sessions<'a> {
    /// Named by the caller: one of them must be it, when there are any.
    pub given: &'a [PathBuf],
    /// Built into the program.
    pub built_in: &'a [&'static Embedded],
}

impl Sessions<'_> {
    /// Opens a run's journal, with the session that it refers to if it does and if that is at hand.
    ///
    /// # Errors
    /// The journal cannot be read; a named session is another one, or was changed.
    pub fn open(&self, run: &Path) -> Result<JournalReader, JournalError> {
        JournalReader::open_with(&run.join("journal"), &|wanted| self.find(run, wanted))
    }

    /// The session of a content hash; `None` when it is not at hand.
    ///
    /// # Errors
    /// None of the named sessions is it, or a named one cannot be read.
    pub fn find(&self, run: &Path, wanted: Hash) -> Result<Option<SessionPlace>, JournalError> {
        if !self.given.is_empty() {
            return self.find_given(wanted).map(Some);
        }
        let settings = Settings::read(&run.join("session.toml")).ok().map(|settings| settings.run.session);
        let above = run.parent().and_then(Path::parent).unwrap_or(Path::new(""));
        let named = settings.filter(|path| !path.as_os_str().is_empty());
        let named = named.iter().flat_map(|path| [path.clone(), above.join(path)]);
        let folder = named.chain([run.join("session")]).find(|path| is_session(path, wanted));
        if let Some(folder) = folder {
            return Ok(Some(SessionPlace::Folder(folder)));
        }
        let is_it = |session: &&&'static Embedded| {
            Manifest::from_json(session.manifest, Path::new(session.name))
                .is_ok_and(|manifest| manifest.content_hash == wanted)
        };
        if let Some(session) = self.built_in.iter().find(is_it) {
            return Ok(Some(SessionPlace::BuiltIn(session)));
        }
        Ok(beside(run, above, wanted).map(SessionPlace::Folder))
    }

    fn find_given(&self, wanted: Hash) -> Result<SessionPlace, JournalError> {
        let mut other = None;
        for path in self.given {
            let place = SessionPlace::Folder(path.clone());
            let found = place.content_hash().map_err(|e| JournalError::Session { problem: e.to_string() })?;
            if found == wanted {
                return Ok(place);
            }
            other.get_or_insert((place.to_string(), found.to_string()));
        }
        let (place, found) = other.expect("the caller saw that there are some");
        Err(JournalError::OtherSession { place, session: wanted.to_string(), found })
    }
}

fn is_session(folder: &Path, wanted: Hash) -> bool {
    let path = folder.join(MANIFEST_FILE);
    let manifest = std::fs::read(&path).ok().and_then(|text| Manifest::from_json(&text, &path).ok());
    manifest.is_some_and(|manifest| manifest.content_hash == wanted)
}

/// A session of the hash in the folders around the run.
fn beside(run: &Path, above: &Path, wanted: Hash) -> Option<PathBuf> {
    let around = [run.parent().unwrap_or(Path::new("")), above];
    let entries = around.iter().filter_map(|folder| {
        std::fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }).ok()
    });
    let mut near: Vec<PathBuf> = entries.flatten().flatten().map(|entry| entry.path()).collect();
    // A folder is listed in any order.
    near.sort();
    if let Some(found) = near.into_iter().find(|path| is_session(path, wanted)) {
        return Some(found);
    }
    let catalogs = FOLDERS.iter().filter_map(|folder| Catalog::open(&above.join(folder)).ok());
    let mut entries = catalogs.flat_map(|catalog| catalog.entries);
    entries.find(|entry| entry.manifest.content_hash == wanted).map(|entry| entry.path)
}
