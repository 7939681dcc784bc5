//! Writes the first inputs of every target: `seeds CORPUS`.

use onetape_engine::block::Block;
use onetape_fuzz::lean::{BESIDE_TEXTS, LAYOUTS};
use onetape_strategies::Registry;
use onetape_tape::codec::{Encoder, Hash};
use onetape_tape::import::dbn::write_dbn;
use onetape_tape::import::profile::BUILTIN;
use onetape_tape::session::SessionReader;
use std::path::Path;

fn main() {
    let corpus = std::env::args().nth(1).expect("usage: seeds CORPUS");
    let corpus = Path::new(&corpus);
    let put = |target: &str, name: &str, mode: &[u8], bytes: &[u8]| {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder).expect("a writable corpus");
        std::fs::write(folder.join(name), [mode, bytes].concat()).expect("a writable corpus");
    };
    let scratch = onetape_fuzz::scratch();
    let mut reader = onetape_fuzz::sample_session(&scratch.join("sample"));
    blocks(&mut reader, &put);
    for (path, _) in write_dbn(&mut reader, &scratch.join("dbn"), None).expect("a session DBN can say").files
    {
        let plain = zstd::decode_all(std::fs::File::open(&path).expect("written")).expect("intact");
        let plain = &plain[..plain.len().min(4_096)];
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        put("dbn", &name, &[0], plain);
        put("dbn", &format!("{name}.packed"), &[4], plain);
    }
    for (place, layout) in LAYOUTS.iter().enumerate() {
        put("lean", &format!("rows-{place}"), &[place as u8], layout.rows.as_bytes());
    }
    for (place, text) in BESIDE_TEXTS.iter().enumerate() {
        put("lean", &format!("beside-{place}"), &[0x40 | place as u8], text.as_bytes());
    }
    for mode in 0..16u8 {
        put("journal", &format!("mode-{mode}"), &[mode, 7, 70], &[0, 1, 2, 255]);
    }
    for mode in 0..4u8 {
        put("snapshot", &format!("mode-{mode}"), &[mode, 40, 3], &[0, 1, 2, 255]);
        put("sealed", &format!("mode-{mode}"), &[mode, 40, 3], &[0, 1, 2, 255]);
    }
    profiles(&put);
    let manifest = std::fs::read(scratch.join("sample/manifest.json")).expect("written");
    put("text", "manifest", &[0], &manifest);
    put("text", "settings", &[0], b"[run]\nsession = \"x\"\nseed = 3\n[strategy]\nname = \"demo\"\n");
    put("text", "script", &[0], b"[[order]]\nat = \"2025-05-16 10:00:00\"\nlegs = [{ root = \"ONE\", expiry = \"2025-05-16\", strike = 101, right = \"P\", quantity = -1 }]\n");
    put("text", "number", &[0], b"-12.345678901");
    for (at, name) in Registry::builtin().names().iter().enumerate() {
        let mut state = Vec::new();
        Registry::builtin().create(name).expect("a listed strategy").save(&mut state);
        put("text", &format!("state-{name}"), &[at as u8], &state);
    }
    std::fs::remove_dir_all(scratch).ok();
}

fn blocks(reader: &mut SessionReader, put: &impl Fn(&str, &str, &[u8], &[u8])) {
    let (mut block, mut frame) = (Block::default(), Vec::new());
    while reader.next_block(&mut block).expect("an intact session") {
        for count in [20, 600] {
            let mut part = block.clone();
            part.inputs.truncate(count);
            let cold = part.inputs.iter().filter(|record| record.kind == 0).count();
            part.cold.truncate(cold);
            Encoder::new()
                .encode(&part, &Hash::of(b"seed"), &Hash::of(b""), &mut frame)
                .expect("a sound block");
            put("blocks", &format!("block-{}-{count}", part.first_seq), &[], &frame);
        }
    }
    reader.rewind().expect("an intact session");
}

/// Per built-in profile a header of every column it names and a row of plausible cells.
fn profiles(put: &impl Fn(&str, &str, &[u8], &[u8])) {
    for (mode, (name, text)) in BUILTIN.iter().enumerate() {
        let quoted = text.lines().filter(|line| line.contains(" = ") && !line.starts_with("layout"));
        let mut columns: Vec<&str> = quoted.flat_map(|line| line.split('"').skip(1).step_by(2)).collect();
        columns.sort_unstable();
        columns.dedup();
        columns.retain(|column| !column.contains(' ') && !column.is_empty());
        let cell = |column: &&str| match *column {
            c if c.contains("symbol") || c.contains("ticker") => "SPY250221C00600000",
            c if c.contains("date") || c.contains("expir") => "2025-02-20",
            c if c.contains("time") || c.contains("ts") || c.contains("window") => "1740061800000000000",
            c if c.contains("cp_flag") || c.contains("type") => "C",
            _ => "12.5",
        };
        let cells: Vec<&str> = columns.iter().map(cell).collect();
        let rows = format!("{}\n{}\n", columns.join(","), cells.join(","));
        put("profile", name, &[mode as u8], rows.as_bytes());
        put("profile", &format!("own-{name}"), &[255], format!("{text}\n---\n{rows}").as_bytes());
    }
}
