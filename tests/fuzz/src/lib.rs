//! What the fuzz targets share.

pub mod lean;

use onetape_engine::block::Block;
use onetape_engine::config::RunConfig;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::Nanos;
use onetape_engine::record::Record;
use onetape_journal::JournalWriter;
use onetape_session::{BlockSink, Driver};
use onetape_strategies::Registry;
use onetape_tape::generate::{GenerateError, GenerateRequest, Sink, generate_into};
use onetape_tape::session::{SessionMeta, SessionReader, SessionWriter};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A scratch folder in memory, one per process.
pub fn scratch() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let folder = parent.join(format!("onetape-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a scratch folder");
        folder
    })
}

/// Panics that the code under test catches by design (the guard round a foreign decoder) must not
/// end the process; one that escapes still does, in the fuzzer's own guard.
pub fn let_guards_work() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let _ = std::panic::take_hook();
    });
}

/// The first blocks of a generated market: definitions, phases, statistics, quotes and trades.
pub fn sample_session(dir: &Path) -> SessionReader {
    let mut writer =
        SessionWriter::create(dir, SessionMeta::new("sample", "fuzz", "1")).expect("a writable folder");
    let mut sink = Sample { writer: &mut writer, left: 3_000 };
    let request = GenerateRequest { days: 1, events: Some(1), ..GenerateRequest::new(1) };
    generate_into(&request, &mut sink, &mut |_| {}).ok();
    writer.finish().expect("a writable folder");
    SessionReader::open(dir).expect("what was just written")
}

/// A closed journal of a few blocks at `dir`.
pub fn journal(dir: &Path) {
    let mut reader = sample_session(&dir.with_extension("session"));
    let mut writer = JournalWriter::create(dir, [1; 32]).expect("a writable folder");
    let mut block = Block::default();
    while reader.next_block(&mut block).expect("an intact session") {
        writer.append(&block).expect("a writable folder");
    }
    writer.finish().expect("a writable folder");
}

/// The strategy of [`snapshot`].
pub const STRATEGY: &str = "demo";

/// The state of a run over the sample, after its last block.
pub fn snapshot() -> Vec<u8> {
    let mut reader = sample_session(&scratch().join("snapshot.session"));
    let strategy = Registry::builtin().create(STRATEGY).expect("a listed strategy");
    let mut driver = Driver::new(RunConfig::default(), vec![strategy]);
    let mut block = Block::default();
    let mut last = Nanos(0);
    while reader.next_block(&mut block).expect("an intact session") {
        last = block.inputs.last().map_or(last, Record::ts);
        block = driver.drive(block, &mut Dropped).expect("a sink that takes all");
    }
    driver.end(last, &mut Dropped).expect("a sink that takes all");
    driver.kernel().save().expect("between two blocks")
}

struct Dropped;

impl BlockSink for Dropped {
    type Error = std::convert::Infallible;
    fn put(&mut self, _block: Block) -> Result<Block, Self::Error> {
        Ok(Block::default())
    }
}

/// Passes the first records on and stops there.
struct Sample<'a> {
    writer: &'a mut SessionWriter,
    left: usize,
}

impl Sink for Sample<'_> {
    fn define(&mut self, ts: Nanos, def: &InstrumentDef) -> Result<(), GenerateError> {
        Ok(self.writer.define(ts, def.clone()).map(|_| ())?)
    }

    fn record(&mut self, record: &Record) -> Result<(), GenerateError> {
        if self.left > 0 {
            self.left -= 1;
            self.writer.push(*record, None)?;
        }
        Ok(())
    }
}
