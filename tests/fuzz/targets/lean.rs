//! Any rows, or any archive, in a LEAN folder give records or a named error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use onetape_tape::import::MemorySink;
use onetape_tape::import::lean::{LeanKind, LeanRequest, Resolution, read_lean};
use std::io::Write;

/// Archive, entry, kind and resolution of each layout.
const LAYOUTS: [(&str, &str, LeanKind, Resolution); 7] = [
    (
        "option/usa/minute/xyz/20240703_quote_american.zip",
        "20240703_xyz_minute_quote_american_put_1000000_20240719.csv",
        LeanKind::Option,
        Resolution::Minute,
    ),
    (
        "option/usa/minute/xyz/20240703_openinterest_american.zip",
        "20240703_xyz_minute_openinterest_american_put_1000000_20240719.csv",
        LeanKind::Option,
        Resolution::Minute,
    ),
    (
        "equity/usa/minute/xyz/20240703_trade.zip",
        "20240703_xyz_minute_trade.csv",
        LeanKind::Equity,
        Resolution::Minute,
    ),
    ("equity/usa/tick/xyz/20240703_quote.zip", "20240703_xyz_tick_quote.csv", LeanKind::Equity, Resolution::Tick),
    ("equity/usa/tick/xyz/20240703_trade.zip", "20240703_xyz_tick_trade.csv", LeanKind::Equity, Resolution::Tick),
    ("equity/usa/daily/xyz.zip", "xyz.csv", LeanKind::Equity, Resolution::Daily),
    ("equity/usa/hour/xyz.zip", "xyz.csv", LeanKind::Equity, Resolution::Hour),
];

fuzz_target!(|data: &[u8]| {
    onetape_fuzz::let_guards_work();
    let Some((&mode, bytes)) = data.split_first() else { return };
    let (archive, entry, kind, resolution) = &LAYOUTS[usize::from(mode & 0x7f) % LAYOUTS.len()];
    let root = onetape_fuzz::scratch().join("lean");
    std::fs::remove_dir_all(&root).ok();
    let path = root.join("Data").join(archive);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("scratch");
    if mode & 0x80 != 0 {
        std::fs::write(&path, bytes).expect("scratch");
    } else {
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).expect("scratch"));
        let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file(*entry, stored).expect("scratch");
        zip.write_all(bytes).expect("scratch");
        zip.finish().expect("scratch");
    }
    let request = LeanRequest { resolution: *resolution, ..LeanRequest::new(&root, *kind, &["xyz"]) };
    read_lean(&request, &mut MemorySink::default(), &mut |_| {}).ok();
});
