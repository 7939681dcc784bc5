//! Power cuts on real database files.
//!
//! A run is written and its files are copied after every commit. The state of the medium at a
//! cut during the next commit is any mixture of two successive copies, sector by sector, with
//! the file's end anywhere between, because the operating system may have written any of the
//! unsynced sectors. The anchor is the old one, or a torn or whole new one once the database
//! is complete.

use crate::run::{Rng, blocks, seed_of};
use crate::trials::Counts;
use onetape_engine::block::Block;
use onetape_journal::{JournalReader, JournalWriter, repair, verify};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const SECTOR: usize = 512;

type Files = BTreeMap<String, Vec<u8>>;

fn snapshot(dir: &Path) -> Files {
    let mut files = Files::new();
    for folder in ["", "db"] {
        for entry in fs::read_dir(dir.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
                files.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

/// Sectors of either version, the length of either or between.
fn mix(old: &[u8], new: &[u8], rng: &mut Rng) -> Vec<u8> {
    let percent = [0, 10, 50, 90, 100][rng.below(5)];
    let mut bytes = old.to_vec();
    bytes.resize(old.len().max(new.len()), 0);
    for at in (0..new.len()).step_by(SECTOR) {
        let end = (at + SECTOR).min(new.len());
        if rng.chance(percent) {
            bytes[at..end].copy_from_slice(&new[at..end]);
        }
    }
    let grown = new.len().saturating_sub(old.len());
    let length = if rng.chance(50) { new.len().max(old.len()) } else { old.len() + rng.below(grown + 1) };
    bytes.truncate(length.max(old.len().min(new.len())));
    bytes
}

struct Recorded {
    /// Files after each commit, and the seq committed then.
    commits: Vec<(Files, u64)>,
    written: Vec<Block>,
}

fn record(rng: &mut Rng, dir: &Path) -> Recorded {
    let count = 6 + rng.below(30);
    let written = blocks(rng, count);
    let mut writer = JournalWriter::create(dir, [7; 32]).unwrap();
    let mut commits = Vec::new();
    for block in &written {
        writer.append(block).unwrap();
        if rng.chance(50) {
            writer.commit().unwrap();
            commits.push((snapshot(dir), block.first_seq + block.len() as u64));
        }
    }
    writer.commit().unwrap();
    commits.push((snapshot(dir), written.last().map_or(0, |block| block.first_seq + block.len() as u64)));
    Recorded { commits, written }
}

/// Cuts the power during commits: nothing committed is lost, nothing is invented.
pub fn power_cuts(trials: u64, seed: u64) -> Counts {
    let mut counts = Counts::default();
    let folder = tempfile::tempdir().unwrap();
    let mut recorded = None;
    for trial in 0..trials {
        let seed = seed_of(seed, trial);
        let mut rng = Rng(seed);
        if trial % 25 == 0 {
            let dir = folder.path().join("run");
            fs::remove_dir_all(&dir).ok();
            recorded = Some(record(&mut rng, &dir));
        }
        let Some(run) = &recorded else { continue };
        let next = 1 + rng.below(run.commits.len().saturating_sub(1));
        let Some((new, new_seq)) = run.commits.get(next) else { continue };
        let (old, old_seq) = &run.commits[next - 1];
        let dir = folder.path().join("cut");
        fs::create_dir_all(dir.join("db")).unwrap();
        let is_complete = rng.chance(25);
        for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
            let (before, after) = (old.get(name), new.get(name));
            let bytes = match (before, after) {
                (Some(before), Some(_)) if name == "/anchor" && !is_complete => before.clone(),
                (_, Some(after)) if is_complete && name != "/anchor" => after.clone(),
                (Some(before), Some(after)) => mix(before, after, &mut rng),
                (None, Some(after)) if rng.chance(50) => after.clone(),
                (Some(before), None) if rng.chance(50) => before.clone(),
                _ => continue,
            };
            fs::write(dir.join(name.trim_start_matches('/')), bytes).unwrap();
        }
        counts.trials += 1;
        judge(&dir, &run.written, (*old_seq, *new_seq), &mut counts, seed);
        fs::remove_dir_all(&dir).unwrap();
        fs::remove_dir_all(folder.path().join("cut.damaged")).ok();
    }
    counts
}

/// What was committed is there, perhaps through a repair, and what is there was written.
///
/// `committed` and `upto` are the seqs that were committed, and that the cut commit would have added.
pub fn judge(dir: &Path, written: &[Block], (committed, upto): (u64, u64), counts: &mut Counts, seed: u64) {
    let report = verify(dir);
    let events = report.as_ref().map_or(0, |report| report.events);
    if matches!(&report, Ok(report) if report.ok) && events >= committed {
        counts.tally(match events {
            _ if events == committed => "found as last committed",
            _ if events >= upto => "found with all of the cut commit",
            _ => "found with part of the cut commit",
        });
    } else if committed == 0 {
        counts.tally("nothing was committed");
    } else {
        // The database did not survive its own unsynced writes; its blocks must.
        let repaired = repair(dir);
        let is_saved = matches!(&repaired, Ok(repaired) if repaired.events >= committed);
        counts.tally(if is_saved { "found by repair" } else { "LOST" });
        counts.check(is_saved, seed, || format!("{committed} committed: {report:?} then {repaired:?}"));
    }
    let Ok(reader) = JournalReader::open(dir) else { return };
    let mut written = written.iter();
    for block in reader.blocks().map_while(Result::ok) {
        counts.check(written.next() == Some(&block), seed, || "a block was never written".to_string());
    }
}
