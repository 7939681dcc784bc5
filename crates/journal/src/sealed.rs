//! A whole journal in one file, to keep or to hand over.
//!
//! `"onetape\x03" ‖ length of the label (u32) ‖ label (JSON) ‖ zstd(frames one after another) ‖ hash 32`,
//! the hash (BLAKE3) over everything before it. The label says whose journal it is, its head and counts,
//! and carries the run's settings as text. Importing writes the frames into a new journal, which must
//! come to the same head.

use crate::error::JournalError;
use crate::export::{failed, finish, partial_of};
use crate::reader::JournalReader;
use crate::writer::JournalWriter;
use onetape_engine::block::Block;
use onetape_tape::codec::{Decoder, HASH_LEN, HEADER_LEN, Hash, Header};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"onetape\x03";
const VERSION: u32 = 1;
/// Most bytes of a label: settings with an order script are a few KiB.
const LABEL_MAX: u32 = 16 << 20;
/// zstd level: frames are packed already, higher ones cost time and gain little.
const LEVEL: i32 = 3;

/// What a sealed file says of its journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedLabel {
    /// Version of the file's layout.
    pub version: u32,
    /// Run id.
    pub run_id: Hash,
    /// Version of the program that exported.
    pub program: String,
    /// Hash of the last block.
    pub head: Hash,
    /// BLAKE3 over the derived lanes.
    pub derived_hash: Hash,
    /// Blocks.
    pub blocks: u64,
    /// Inputs and derived events.
    pub events: u64,
    /// The run's `session.toml`.
    pub settings: String,
}

/// What was exported or imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SealedReport {
    /// The file, or the run folder made from it.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// What the file says.
    pub label: SealedLabel,
}

/// Writes everything it passes on into a hash as well.
struct Hashed<W> {
    inner: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Writes a verified journal into the file `out`, which must not exist.
///
/// # Errors
/// `out` exists or cannot be written, or the journal does not verify.
pub fn export_sealed(
    reader: &JournalReader,
    settings: &str,
    out: &Path,
) -> Result<SealedReport, JournalError> {
    if out.exists() {
        return Err(JournalError::Exists { path: out.display().to_string() });
    }
    let label = label_of(reader, settings)?;
    let partial = partial_of(out);
    let file = File::create(&partial).map_err(failed(&partial, "creating the file"))?;
    let written = write(reader, &label, file, &partial);
    if let Err(error) = written.and_then(|()| finish(&partial, out)) {
        fs::remove_file(&partial).ok();
        return Err(error);
    }
    let bytes = out.metadata().map_err(failed(out, "reading the size"))?.len();
    Ok(SealedReport { path: out.to_path_buf(), bytes, label })
}

fn label_of(reader: &JournalReader, settings: &str) -> Result<SealedLabel, JournalError> {
    let path = reader.path().to_string();
    let report = reader.verify();
    if !report.ok {
        return Err(JournalError::Unreadable { path, problem: report.message });
    }
    let hash = |text: &str| {
        text.parse::<Hash>()
            .map_err(|error| JournalError::Unreadable { path: path.clone(), problem: error.to_string() })
    };
    Ok(SealedLabel {
        version: VERSION,
        run_id: hash(&reader.header().run_id)?,
        program: env!("CARGO_PKG_VERSION").to_string(),
        head: hash(&report.head)?,
        derived_hash: hash(&report.derived_hash)?,
        blocks: report.blocks,
        events: report.events,
        settings: settings.to_string(),
    })
}

fn write(reader: &JournalReader, label: &SealedLabel, file: File, path: &Path) -> Result<(), JournalError> {
    let failed = || failed(path, "writing");
    let mut out = Hashed { inner: BufWriter::new(file), hasher: blake3::Hasher::new() };
    let text = serde_json::to_vec(label).expect("a label is plain fields");
    out.write_all(&MAGIC).map_err(failed())?;
    out.write_all(&(text.len() as u32).to_le_bytes()).map_err(failed())?;
    out.write_all(&text).map_err(failed())?;
    let mut frames = zstd::stream::write::Encoder::new(out, LEVEL).map_err(failed())?;
    let mut blocks = reader.blocks();
    for _ in 0..label.blocks {
        blocks.next_frame()?;
        frames.write_all(blocks.frame()).map_err(failed())?;
    }
    assert_eq!(blocks.head(), label.head, "the blocks are those that were verified");
    let mut out = frames.finish().map_err(failed())?;
    let hash = *out.hasher.finalize().as_bytes();
    out.inner.write_all(&hash).map_err(failed())?;
    let file = out.inner.into_inner().map_err(|error| failed()(error.into_error()))?;
    file.sync_all().map_err(failed())
}

/// Makes a run folder in `runs` from a sealed file, named by its run id.
///
/// # Errors
/// The file is damaged or no sealed journal, the run is there already, or the folder cannot be written.
pub fn import_sealed(file: &Path, runs: &Path) -> Result<SealedReport, JournalError> {
    let bytes = check_hash(file)?;
    let mut source = BufReader::new(File::open(file).map_err(failed(file, "opening the file"))?);
    let label = read_label(&mut source, file)?;
    let dir = runs.join(&label.run_id.to_string()[..16]);
    if dir.exists() {
        return Err(JournalError::Exists { path: dir.display().to_string() });
    }
    let partial = partial_of(&dir);
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(failed(&partial, "removing an unfinished import"))?;
    }
    let frames = source.take(bytes - HASH_LEN as u64 - label_end(&label));
    let restored = restore(frames, &label, file, &partial);
    if let Err(error) = restored.and_then(|()| finish(&partial, &dir)) {
        fs::remove_dir_all(&partial).ok();
        return Err(error);
    }
    Ok(SealedReport { path: dir, bytes, label })
}

fn damaged(file: &Path, problem: impl std::fmt::Display) -> JournalError {
    let path = file.display().to_string();
    JournalError::NotSealed { path, problem: problem.to_string() }
}

/// Checks the file's last bytes against all before them; returns its length.
fn check_hash(file: &Path) -> Result<u64, JournalError> {
    let reading = || failed(file, "reading");
    let mut source = BufReader::with_capacity(1 << 20, File::open(file).map_err(reading())?);
    let bytes = file.metadata().map_err(reading())?.len();
    let mut magic = [0; MAGIC.len()];
    if bytes < (MAGIC.len() + 4 + HASH_LEN) as u64 || source.read_exact(&mut magic).is_err() || magic != MAGIC
    {
        return Err(damaged(file, "it does not begin as one does"));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&magic);
    let content = bytes - (MAGIC.len() + HASH_LEN) as u64;
    std::io::copy(&mut source.by_ref().take(content), &mut hasher).map_err(reading())?;
    let mut stored = [0; HASH_LEN];
    source.read_exact(&mut stored).map_err(reading())?;
    let found = Hash(*hasher.finalize().as_bytes());
    if found == Hash(stored) {
        return Ok(bytes);
    }
    Err(damaged(file, format!("its content hashes to {found}, it was sealed as {}", Hash(stored))))
}

fn read_label(source: &mut impl Read, file: &Path) -> Result<SealedLabel, JournalError> {
    let mut head = [0; MAGIC.len() + 4];
    source.read_exact(&mut head).map_err(failed(file, "reading"))?;
    let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
    if length > LABEL_MAX {
        return Err(damaged(file, format!("a label of {length} bytes")));
    }
    let mut text = vec![0; length as usize];
    source.read_exact(&mut text).map_err(|_| damaged(file, "its label is cut"))?;
    let label: SealedLabel = serde_json::from_slice(&text).map_err(|error| damaged(file, error))?;
    if label.version != VERSION {
        return Err(damaged(file, format!("layout {}, this program reads {VERSION}", label.version)));
    }
    // The length of the frames is told by the label's own bytes.
    if serde_json::to_vec(&label).is_ok_and(|again| again == text) {
        Ok(label)
    } else {
        Err(damaged(file, "its label is not written as a label is"))
    }
}

/// Bytes before the frames.
fn label_end(label: &SealedLabel) -> u64 {
    let text = serde_json::to_vec(label).expect("a label is plain fields");
    (MAGIC.len() + 4 + text.len()) as u64
}

fn restore(frames: impl Read, label: &SealedLabel, file: &Path, partial: &Path) -> Result<(), JournalError> {
    let mut frames = zstd::stream::read::Decoder::new(frames).map_err(failed(file, "reading"))?;
    fs::create_dir_all(partial).map_err(failed(partial, "making the folder"))?;
    let (mut decoder, mut frame, mut block) = (Decoder::new(), Vec::new(), Block::default());
    let journal = partial.join("journal");
    let mut writer: Option<JournalWriter> = None;
    for n in 0..label.blocks {
        frame.resize(HEADER_LEN, 0);
        let cut = |_| damaged(file, format!("it ends within block {n} of {}", label.blocks));
        frames.read_exact(&mut frame).map_err(cut)?;
        let header = Header::from_bytes(&frame).map_err(|error| damaged(file, error))?;
        frame.resize(header.frame_len(), 0);
        frames.read_exact(&mut frame[HEADER_LEN..]).map_err(cut)?;
        let decoded = decoder.decode_parts(&frame, &mut block);
        let (header, _, references) = decoded.map_err(|error| damaged(file, error))?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => {
                let session = references.map(|references| references.session);
                writer.insert(JournalWriter::create_for(&journal, label.run_id.0, session)?)
            }
        };
        if header.previous != writer.head() || header.first_seq != writer.next_seq() {
            return Err(damaged(file, format!("block {n} does not follow the one before it")));
        }
        if header.id != label.run_id {
            return Err(damaged(file, format!("block {n} belongs to another run")));
        }
        writer.append_frame(&frame)?;
    }
    let writer = match writer {
        Some(writer) => writer,
        None => JournalWriter::create(&journal, label.run_id.0)?,
    };
    let events = writer.next_seq();
    let summary = writer.finish()?;
    if (summary.head_hash, summary.derived_hash, events) != (label.head, label.derived_hash, label.events) {
        return Err(damaged(
            file,
            format!("its blocks end in {}, its label says {}", summary.head_hash, label.head),
        ));
    }
    let settings = partial.join("session.toml");
    fs::write(&settings, &label.settings).map_err(failed(&settings, "writing"))
}
