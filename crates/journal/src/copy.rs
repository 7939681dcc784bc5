//! Copies of journals: opening a database changes its files, and a journal is evidence. The system copies
//! within the kernel, and shares the blocks where the file system can; at 2 to 18 bytes an entry it is a few
//! percent of reading them.

use crate::error::JournalError;
use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A copy of a journal's database in the system's temporary folder, removed when dropped.
#[derive(Debug)]
pub(crate) struct DatabaseCopy {
    path: PathBuf,
}

impl DatabaseCopy {
    /// A place for a copy.
    pub(crate) fn empty() -> DatabaseCopy {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("onetape-journal-{}-{number}", std::process::id());
        DatabaseCopy { path: std::env::temp_dir().join(name) }
    }

    /// Copies the database folder `db`; an intact seal on the copied files is the caller's to check.
    pub(crate) fn of(db: &Path) -> Result<DatabaseCopy, JournalError> {
        let copy = DatabaseCopy::empty();
        copy_folder(db, &copy.path).map_err(|error| JournalError::Failed {
            path: db.display().to_string(),
            what: "copying the journal to the temporary folder",
            problem: format!("{error} (TMPDIR names another place)"),
        })?;
        Ok(copy)
    }

    /// The copied folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DatabaseCopy {
    fn drop(&mut self) {
        // The system clears its temporary folder anyway.
        fs::remove_dir_all(&self.path).ok();
    }
}

/// Copies the files of a folder, and of the folders in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
            // The original may be write-protected; the database demands to write.
            fs::set_permissions(&target, Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

/// Whether another process or reader holds the database, which it does by a lock on its file.
pub(crate) fn is_in_use(db: &Path) -> bool {
    let locked = File::open(db.join("db")).map(|file| file.try_lock());
    matches!(locked, Ok(Err(TryLockError::WouldBlock)))
}
