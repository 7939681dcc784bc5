//! A snapshot of which bytes changed is refused by name; one whose hash fits restores to the state it says, or is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use onetape_engine::Kernel;
use onetape_engine::config::RunConfig;
use onetape_strategies::Registry;
use onetape_tape::codec::{HASH_LEN, Hash};
use std::sync::OnceLock;

fuzz_target!(|data: &[u8]| {
    static SNAPSHOT: OnceLock<Vec<u8>> = OnceLock::new();
    onetape_fuzz::let_guards_work();
    let [mode, low, high, bytes @ ..] = data else { return };
    let mut snapshot = SNAPSHOT.get_or_init(onetape_fuzz::snapshot).clone();
    if mode & 1 == 0 {
        let at = usize::from(u16::from_le_bytes([*low, *high])) * snapshot.len() / 65_536;
        let end = snapshot.len().min(at + bytes.len());
        snapshot[at..end].copy_from_slice(&bytes[..end - at]);
    } else {
        snapshot = bytes.to_vec();
    }
    if mode & 2 != 0 && snapshot.len() >= HASH_LEN {
        // With the right hash the state's decoder is reached.
        let end = snapshot.len() - HASH_LEN;
        let hash = Hash::of(&snapshot[..end]);
        snapshot[end..].copy_from_slice(&hash.0);
    }
    let strategy = Registry::builtin().create(onetape_fuzz::STRATEGY).expect("a listed strategy");
    if let Ok(kernel) = Kernel::restore(RunConfig::default(), vec![strategy], &snapshot) {
        kernel.save().expect("what was restored is between two blocks");
    }
});
