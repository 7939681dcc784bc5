//! Any bytes through any vendor's profile, and any profile a user may write, give records or a named error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use onetape_tape::import::MemorySink;
use onetape_tape::import::profile::{BUILTIN, Profile, read_bytes};

fuzz_target!(|data: &[u8]| {
    onetape_fuzz::let_guards_work();
    let Some((&mode, bytes)) = data.split_first() else { return };
    if mode == 255 {
        // A profile of one's own above the rows it describes.
        let end = bytes.windows(5).position(|line| line == b"\n---\n").unwrap_or(bytes.len());
        let Ok(text) = std::str::from_utf8(&bytes[..end]) else { return };
        if let Ok(profile) = Profile::parse("own", text) {
            let rows = bytes.get(end + 5..).unwrap_or_default();
            read_bytes(&profile, "rows.csv", rows, &mut MemorySink::default()).ok();
        }
        return;
    }
    let (name, _) = BUILTIN[usize::from(mode) % BUILTIN.len()];
    let profile = Profile::builtin(name).expect("a built-in profile");
    read_bytes(&profile, "rows.csv", bytes, &mut MemorySink::default()).ok();
});
