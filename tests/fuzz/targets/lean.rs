//! Any rows, any archive and any file beside the archives of a LEAN folder give records or a named error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use onetape_fuzz::lean::{BESIDE, LAYOUTS, Layout};
use onetape_tape::import::MemorySink;
use onetape_tape::import::lean::{LeanKind, LeanRequest, Resolution, read_lean};
use std::io::Write;
use std::path::Path;

fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("scratch");
    std::fs::write(path, bytes).expect("scratch");
}

fn pack(path: &Path, entry: &str, rows: &[u8]) {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file(entry, stored).expect("memory");
    zip.write_all(rows).expect("memory");
    put(path, &zip.finish().expect("memory").into_inner());
}

fn request(root: &Path, layout: &Layout) -> LeanRequest {
    let mut places = layout.archive.split('/');
    let kind = places.next().and_then(LeanKind::from_folder).expect("a kind");
    let market = places.next().expect("a market").to_string();
    let resolution = places.next().and_then(Resolution::from_folder).expect("a resolution");
    LeanRequest { market, resolution, ..LeanRequest::new(root, kind, &[layout.symbol]) }
}

fuzz_target!(|data: &[u8]| {
    onetape_fuzz::let_guards_work();
    let Some((&mode, bytes)) = data.split_first() else { return };
    let place = usize::from(mode & 0x3f);
    let root = onetape_fuzz::scratch().join("lean");
    std::fs::remove_dir_all(&root).ok();
    let folder = root.join("Data");
    let (beside, at) = BESIDE[place % BESIDE.len()];
    let is_beside = mode & 0xc0 == 0x40;
    let layout = &LAYOUTS[if is_beside { at } else { place % LAYOUTS.len() }];
    let path = folder.join(layout.archive);
    if is_beside {
        put(&folder.join(beside), bytes);
        pack(&path, layout.entry, layout.rows.as_bytes());
    } else if mode & 0x80 != 0 {
        put(&path, bytes);
    } else {
        pack(&path, layout.entry, bytes);
    }
    read_lean(&request(&root, layout), &mut MemorySink::default(), &mut |_| {}).ok();
});
