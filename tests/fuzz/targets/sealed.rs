//! A sealed file that was overwritten, with its hash made to fit or not, imports as it was or is refused, and
//! leaves no half of a run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use onetape_journal::{JournalReader, export_sealed, import_sealed, verify};
use onetape_tape::codec::{HASH_LEN, Hash};
use std::sync::OnceLock;

fn template() -> &'static Vec<u8> {
    static SEALED: OnceLock<Vec<u8>> = OnceLock::new();
    SEALED.get_or_init(|| {
        let (dir, out) = (onetape_fuzz::scratch().join("run"), onetape_fuzz::scratch().join("run.sealed"));
        onetape_fuzz::journal(&dir);
        let reader = JournalReader::open(&dir).expect("a journal");
        export_sealed(&reader, "", &out).expect("a journal that verifies");
        std::fs::read(out).expect("a sealed file")
    })
}

fuzz_target!(|data: &[u8]| {
    onetape_fuzz::let_guards_work();
    let [mode, low, high, bytes @ ..] = data else { return };
    let mut sealed = template().clone();
    if mode & 1 == 0 {
        let at = usize::from(u16::from_le_bytes([*low, *high])) * sealed.len() / 65_536;
        let end = sealed.len().min(at + bytes.len());
        sealed[at..end].copy_from_slice(&bytes[..end - at]);
    } else {
        sealed = bytes.to_vec();
    }
    if mode & 2 != 0 && sealed.len() >= HASH_LEN {
        let end = sealed.len() - HASH_LEN;
        let hash = Hash::of(&sealed[..end]);
        sealed[end..].copy_from_slice(&hash.0);
    }
    let (file, runs) = (onetape_fuzz::scratch().join("in.sealed"), onetape_fuzz::scratch().join("runs"));
    std::fs::remove_dir_all(&runs).ok();
    std::fs::create_dir_all(&runs).expect("scratch");
    std::fs::write(&file, &sealed).expect("scratch");
    match import_sealed(&file, &runs) {
        Ok(report) => assert!(verify(&report.path.join("journal")).expect("a journal").ok, "an import that does not verify"),
        Err(_) => assert!(std::fs::read_dir(&runs).expect("scratch").next().is_none(), "a half import is left"),
    }
});
