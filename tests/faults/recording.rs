//! Recordings: every call by which a journal writer changed its files, in order.
//!
//! The writer is this program in a process of its own with `recorder.c` preloaded, which the
//! machine's C compiler builds. sled syncs with `sync_file_range`, which makes nothing durable;
//! the recording therefore counts only `fsync` and `fdatasync` as syncs.

use crate::run::{Rng, blocks};
use onetape_engine::block::Block;
use onetape_journal::{JournalError, JournalWriter};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The flag that makes this program the recorded writer: `ROOT SEED BLOCKS`.
pub const WRITER_FLAG: &str = "--record-writer";
/// The journal below a recording's root; `runs` is there before the writer starts.
pub const JOURNAL: &str = "runs/one/journal";
/// The writer's diary below the root: what it was told is durable.
const MARKS: &str = "marks";
/// A writer that runs longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(30);
const RUN: [u8; 32] = [7; 32];

/// A call that changed files. Paths are relative to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    Create(String),
    Mkdir(String),
    Write {
        path: String,
        offset: usize,
        data: Vec<u8>,
    },
    Truncate {
        path: String,
        length: usize,
    },
    Sync {
        path: String,
        is_done: bool,
    },
    Rename {
        from: String,
        to: String,
    },
    Unlink(String),
    /// The writer was told that everything up to this seq is durable.
    Committed(u64),
}

/// How calls are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// From a call on, all.
    Broken,
    /// One call.
    Once,
    /// From a call on, all that need space.
    Full,
}

/// How a recorded writer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Finished,
    /// It reported a failure, and again the same one when asked to go on.
    Stopped,
    /// It did something else after a failure.
    Astray(String),
    Hung,
}

pub struct Recording {
    pub ops: Vec<Op>,
    /// Calls that could have been refused.
    pub calls: u64,
    pub written: Vec<Block>,
    pub ending: Ending,
}

/// The compiled recorder.
pub struct Recorder {
    library: PathBuf,
}

impl Recorder {
    /// Builds the recorder; `None`, with a line that says so, where there is no C compiler for it.
    pub fn build(folder: &Path) -> Option<Recorder> {
        let (source, library) = (folder.join("recorder.c"), folder.join("recorder.so"));
        fs::write(&source, include_str!("recorder.c")).unwrap();
        let mut cc = Command::new(std::env::var_os("CC").as_deref().unwrap_or(OsStr::new("cc")));
        cc.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).args(["-ldl", "-lpthread"]);
        let is_built = cfg!(target_os = "linux") && cc.status().is_ok_and(|status| status.success());
        if !is_built {
            println!("skipped: recorded database files need Linux and a C compiler (`cc`, or set CC)");
        }
        is_built.then_some(Recorder { library })
    }

    /// Runs a writer below `root`, which is made anew.
    pub fn record(&self, root: &Path, seed: u64, blocks: usize, refuse: Option<(u64, Refusal)>) -> Recording {
        fs::remove_dir_all(root).ok();
        fs::create_dir_all(root.join("runs")).unwrap();
        let log = root.with_extension("log");
        let mut writer = Command::new(std::env::current_exe().unwrap());
        writer.arg(WRITER_FLAG).arg(root).args([seed.to_string(), blocks.to_string()]);
        writer.env("LD_PRELOAD", &self.library).env("RECORD_ROOT", root).env("RECORD_LOG", &log);
        if let Some((n, refusal)) = refuse {
            writer.env("FAIL_AT", n.to_string()).env("FAIL_MODE", format!("{refusal:?}").to_lowercase());
        }
        #[allow(clippy::zombie_processes)] // `ends_in_time` waits in every path.
        let mut child = writer.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let status = ends_in_time(&mut child);
        let diary = fs::read_to_string(root.join(MARKS)).unwrap_or_default();
        let ending = match (status, diary.lines().last()) {
            (None, _) => Ending::Hung,
            (Some(_), Some(line)) if line.starts_with("finished") => Ending::Finished,
            (Some(_), Some("stopped")) => Ending::Stopped,
            (Some(status), last) => Ending::Astray(format!("{status}, last said {last:?}")),
        };
        let (ops, calls) = parse(&fs::read(&log).unwrap_or_default(), root);
        Recording { ops, calls, written: written(seed, blocks), ending }
    }
}

/// How the process ended; `None` when it had to be killed.
fn ends_in_time(child: &mut Child) -> Option<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a recorded writer of this seed acknowledges blocks before the database holds them.
pub fn writes_ahead(seed: u64) -> bool {
    seed % 2 == 1
}

fn written(seed: u64, count: usize) -> Vec<Block> {
    blocks(&mut Rng(seed), count)
}

/// The recorded writer's part: writes a journal and a diary.
pub fn writer(args: &[String]) -> ExitCode {
    let [root, seed, count] = args else { return ExitCode::from(2) };
    let (seed, count) = (seed.parse().unwrap(), count.parse().unwrap());
    let mut marks = File::create(Path::new(root).join(MARKS)).unwrap();
    let mut say = |line: &str| marks.write_all(format!("{line}\n").as_bytes()).unwrap();
    let mut writer = match JournalWriter::create(&Path::new(root).join(JOURNAL), RUN) {
        Ok(writer) => writer,
        Err(_) => {
            say("stopped");
            return ExitCode::from(7);
        }
    };
    let mut rng = Rng(seed ^ 0x5eed);
    // Every other run is one whose orders wait: acknowledged by the write-ahead area, between commits.
    let writes_ahead = writes_ahead(seed);
    if writes_ahead && writer.open_ahead().is_err() {
        say("stopped");
        return ExitCode::from(7);
    }
    // Rare commits leave more unsynced, because the database writes when its buffers are full.
    let commits_percent = [10, 50][rng.below(2)];
    let mut failure: Option<JournalError> = None;
    for block in &written(seed, count) {
        let seq = block.first_seq + block.len() as u64;
        let committed = format!("committed {seq}");
        let done = match (rng.chance(commits_percent), writes_ahead && rng.chance(50)) {
            (true, _) => writer.append(block).and_then(|()| writer.commit()).map(|()| say(&committed)),
            (false, true) => writer.append_awaited(block, || {
                say(&committed);
                Ok(())
            }),
            (false, false) => writer.append(block),
        };
        if let Err(error) = done {
            // Everything after the first failure must fail alike.
            if failure.as_ref().is_some_and(|first| first.to_string() != error.to_string()) {
                say("forgot its failure");
                return ExitCode::from(7);
            }
            failure = Some(error);
        } else if failure.is_some() {
            say("went on after its failure");
            return ExitCode::from(7);
        }
    }
    let seq = written(seed, count).last().map_or(0, |block| block.first_seq + block.len() as u64);
    match writer.finish() {
        Ok(_) if failure.is_none() => {
            say(&format!("committed {seq}"));
            say("finished");
            ExitCode::SUCCESS
        }
        Ok(_) => {
            say("finished after its failure");
            ExitCode::from(7)
        }
        Err(_) => {
            say("stopped");
            ExitCode::from(7)
        }
    }
}

/// Reads the recorder's log: what changed files, and how many calls there were beside the diary's. What a
/// killed writer left half written at its end is not there.
fn parse(mut bytes: &[u8], root: &Path) -> (Vec<Op>, u64) {
    let prefix = format!("{}/", root.display());
    let (mut ops, mut calls) = (Vec::new(), 0);
    while let Some(entry) = parse_one(&mut bytes, &prefix) {
        match entry {
            Entry::Diary(op) => ops.extend(op),
            Entry::Call(op) => {
                ops.extend(op);
                calls += 1;
            }
        }
    }
    (ops, calls)
}

/// An entry of the log; one without an operation changed nothing.
enum Entry {
    Diary(Option<Op>),
    Call(Option<Op>),
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn number(bytes: &mut &[u8], length: usize) -> Option<usize> {
    let taken = take(bytes, length)?;
    Some(taken.iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte)))
}

fn parse_one(bytes: &mut &[u8], prefix: &str) -> Option<Entry> {
    let (kind, failed) = (number(bytes, 1)?, number(bytes, 1)? != 0);
    let (path_len, target_len) = (number(bytes, 4)?, number(bytes, 4)?);
    let (offset, length) = (number(bytes, 8)?, number(bytes, 8)?);
    let mut text = |length| Some(String::from_utf8_lossy(take(bytes, length)?).replace(prefix, ""));
    let (path, to) = (text(path_len)?, text(target_len)?);
    let data = take(bytes, length)?.to_vec();
    if path == MARKS {
        let line = String::from_utf8_lossy(&data).trim().to_string();
        let seq = line.strip_prefix("committed ").map(|seq| seq.parse().unwrap());
        return Some(Entry::Diary(seq.map(Op::Committed)));
    }
    Some(Entry::Call(match kind {
        5 => Some(Op::Sync { path, is_done: !failed }),
        _ if failed => None,
        1 => Some(Op::Create(path)),
        2 => Some(Op::Mkdir(path)),
        3 => Some(Op::Write { path, offset, data }),
        4 => Some(Op::Truncate { path, length: offset }),
        6 => None,
        7 => Some(Op::Rename { from: path, to }),
        8 => Some(Op::Unlink(path)),
        _ => panic!("the recorder writes operations 1 to 8, not {kind}"),
    }))
}
