//! Any bytes in a DBN file, plain or compressed, whole or a fragment, give records or a named error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use onetape_tape::import::MemorySink;
use onetape_tape::import::dbn::{DbnRequest, dbn_sums, read_dbn};

fuzz_target!(|data: &[u8]| {
    onetape_fuzz::let_guards_work();
    let Some((&mode, bytes)) = data.split_first() else { return };
    let path = onetape_fuzz::scratch().join(if mode & 4 == 0 { "in.dbn" } else { "in.dbn.zst" });
    let compressed = mode & 12 == 4;
    let bytes = if compressed { zstd::encode_all(bytes, 1).expect("memory") } else { bytes.to_vec() };
    std::fs::write(&path, bytes).expect("scratch");
    let fragment_version = Some(mode & 3).filter(|version| *version > 0);
    dbn_sums(&path, fragment_version).ok();
    let request = DbnRequest { fragment_version, ..DbnRequest::new(std::slice::from_ref(&path)) };
    read_dbn(&request, &mut MemorySink::default(), &mut |_| {}).ok();
});
