//! A journal whose anchor, seal or database was overwritten reads, or says what is wrong with it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use onetape_journal::{Anchor, check_seal, verify};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

fn template() -> &'static PathBuf {
    static JOURNAL: OnceLock<PathBuf> = OnceLock::new();
    JOURNAL.get_or_init(|| {
        let dir = onetape_fuzz::scratch().join("template");
        onetape_fuzz::journal(&dir);
        dir
    })
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("scratch");
    for entry in std::fs::read_dir(from).expect("a journal").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("scratch");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    onetape_fuzz::let_guards_work();
    let [mode, low, high, bytes @ ..] = data else { return };
    let dir = onetape_fuzz::scratch().join("journal");
    std::fs::remove_dir_all(&dir).ok();
    copy(template(), &dir);
    let path = dir.join(["anchor", "SEAL", "db/db", "db/conf"][usize::from(mode & 3)]);
    let mut content = std::fs::read(&path).expect("a file of the journal");
    // Overwrites in place, or replaces the file.
    if mode & 4 == 0 {
        let at = usize::from(u16::from_le_bytes([*low, *high])) * content.len() / 65_536;
        let end = content.len().min(at + bytes.len());
        content[at..end].copy_from_slice(&bytes[..end - at]);
    } else {
        content = bytes.to_vec();
    }
    std::fs::write(&path, content).expect("scratch");
    if mode & 8 != 0 {
        std::fs::remove_file(dir.join("SEAL")).ok();
    }
    Anchor::read(&dir.join("anchor")).ok();
    check_seal(&dir).ok();
    verify(&dir).ok();
});
