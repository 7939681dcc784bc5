//! Damage to finished journals. Trials return counts; a violation is counted with the seed that shows it.

use crate::run::{Rng, blocks, seed_of};
use onetape_journal::{JournalError, JournalWriter, VerifyReport, repair, verify};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Outcomes by name, violations with their seeds.
#[derive(Debug, Default)]
pub struct Counts {
    pub trials: u64,
    pub outcomes: BTreeMap<&'static str, u64>,
    pub violations: Vec<String>,
}

impl Counts {
    pub fn tally(&mut self, outcome: &'static str) {
        *self.outcomes.entry(outcome).or_default() += 1;
    }

    pub fn check(&mut self, holds: bool, seed: u64, what: impl Fn() -> String) {
        if !holds {
            self.violations.push(format!("seed {seed}: {}", what()));
        }
    }

    /// Takes in what other trials came to.
    pub fn add(&mut self, other: Counts) {
        self.trials += other.trials;
        other.outcomes.into_iter().for_each(|(name, count)| *self.outcomes.entry(name).or_default() += count);
        self.violations.extend(other.violations);
    }

    /// Outcomes of `expected` that no trial had: what they stand for was not tried.
    pub fn missing(&self, expected: &[&'static str]) -> Vec<&'static str> {
        expected.iter().copied().filter(|name| !self.outcomes.contains_key(name)).collect()
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} trials", self.trials)?;
        self.outcomes.iter().try_for_each(|(name, count)| write!(f, ", {count} {name}"))?;
        write!(f, ", {} violations", self.violations.len())?;
        self.violations.iter().take(5).try_for_each(|violation| write!(f, "\n    {violation}"))
    }
}

/// How a finished journal is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// One bit of any file.
    Flip,
    /// A file ends early.
    Truncate,
    /// 4 KiB of the database become zero.
    Zero,
    /// 4 KiB of the database are replaced by 4 KiB from elsewhere in it.
    Duplicate,
    /// Two blocks of 4 KiB of the database change places.
    Swap,
}

impl Damage {
    pub const ALL: [Damage; 5] =
        [Damage::Flip, Damage::Truncate, Damage::Zero, Damage::Duplicate, Damage::Swap];
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, out) } else { out.push(path) }
    }
    out.sort();
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (source, target) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}

/// Applies the damage to the file `main` of a folder, or to any of it; false when it left the bytes as they were.
pub fn damage(dir: &Path, main: &str, kind: Damage, rng: &mut Rng) -> bool {
    const PAGE: usize = 4_096;
    let mut all = Vec::new();
    files(dir, &mut all);
    all.retain(|path| fs::metadata(path).unwrap().len() > 0);
    // Of the database alone when pages are at stake; else of all files, weighted by nothing.
    let path = match kind {
        Damage::Flip | Damage::Truncate if rng.chance(40) => all[rng.below(all.len())].clone(),
        _ => dir.join(main),
    };
    let before = fs::read(&path).unwrap();
    let mut bytes = before.clone();
    // The end of a database file is padding; aim at what was written.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
    let page = |rng: &mut Rng| rng.below(used.div_ceil(PAGE)) * PAGE;
    match kind {
        Damage::Flip => {
            let bit = rng.below(used * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        Damage::Truncate => bytes.truncate(rng.below(used)),
        Damage::Zero => {
            let at = page(rng);
            let end = (at + PAGE).min(bytes.len());
            bytes[at..end].fill(0);
        }
        Damage::Duplicate | Damage::Swap => {
            let (a, b) = (page(rng), page(rng));
            let end = |at: usize| (at + PAGE).min(before.len());
            let length = (end(a) - a).min(end(b) - b);
            bytes[a..a + length].copy_from_slice(&before[b..b + length]);
            if kind == Damage::Swap {
                bytes[b..b + length].copy_from_slice(&before[a..a + length]);
            }
        }
    }
    fs::write(&path, &bytes).unwrap();
    bytes != before
}

/// How a journal is verified.
pub type Verify<'a> = &'a dyn Fn(&Path) -> Result<VerifyReport, JournalError>;

/// Trials of one journal: whether its file has room that no block needs depends on where its commits fell.
const PER_JOURNAL: u64 = 20;

/// Finished journals, damaged: with its SEAL every change is named; without it, a change is
/// named or has cost nothing.
pub fn finished(kind: Damage, sealed: bool, trials: u64, seed: u64) -> Counts {
    let mut counts = Counts::default();
    for from in (0..trials).step_by(PER_JOURNAL as usize) {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = Rng(seed_of(seed, from));
        let commits_percent = [30, 80][rng.below(2)];
        let written = blocks(&mut rng, 40);
        let original = folder.path().join("original");
        let mut writer = JournalWriter::create(&original, [7; 32]).unwrap();
        for block in &written {
            writer.append(block).unwrap();
            if rng.chance(commits_percent) {
                writer.commit().unwrap();
            }
        }
        let head = writer.finish().unwrap().head_hash.to_string();
        let some = (trials - from).min(PER_JOURNAL);
        counts.add(damage_copies(&original, &head, &verify, (kind, sealed), (some, seed.wrapping_add(from))));
    }
    counts
}

/// Damages copies of a finished journal that ends in `head`.
pub fn damage_copies(
    original: &Path,
    head: &str,
    verify: Verify<'_>,
    (kind, sealed): (Damage, bool),
    (trials, seed): (u64, u64),
) -> Counts {
    let mut counts = Counts::default();
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    copy(original, &control);
    if !sealed {
        fs::remove_file(control.join("SEAL")).unwrap();
    }
    let report = verify(&control).unwrap();
    counts.check(report.ok && report.head == head, seed, || format!("undamaged: {}", report.message));
    for trial in 0..trials {
        let seed = seed_of(seed, trial);
        let dir = folder.path().join(format!("trial-{trial}"));
        copy(original, &dir);
        if !sealed {
            fs::remove_file(dir.join("SEAL")).unwrap();
        }
        let is_changed = damage(&dir, "db/db", kind, &mut Rng(seed));
        counts.trials += 1;
        if is_changed {
            let report = verify(&dir);
            let is_named = !matches!(&report, Ok(report) if report.ok);
            let is_whole = matches!(&report, Ok(report) if report.head == head);
            counts.tally(match (is_named, is_whole) {
                (true, true) => "named, every block intact",
                (true, false) => "named",
                (false, true) => "harmless, every block intact",
                (false, false) => "SILENT LOSS",
            });
            counts.check(is_named || (!sealed && is_whole), seed, || format!("{kind:?}: {report:?}"));
            if is_named && !is_whole && trial % 4 == 0 {
                try_repair(&dir, head, verify, &mut counts, seed);
            }
        } else {
            counts.tally("no byte changed");
        }
        fs::remove_dir_all(folder.path().join(format!("trial-{trial}.damaged"))).ok();
        fs::remove_dir_all(&dir).unwrap();
    }
    counts
}

/// A repaired journal verifies; how much of it survived is counted.
fn try_repair(dir: &Path, head: &str, verify: Verify<'_>, counts: &mut Counts, seed: u64) {
    match repair(dir) {
        Ok(report) => {
            counts.tally(if report.head == head { "repaired whole" } else { "repaired in part" });
            *counts.outcomes.entry("blocks kept by repairs").or_default() += report.blocks;
            let after = verify(dir);
            counts
                .check(matches!(&after, Ok(after) if after.ok), seed, || format!("after repair: {after:?}"));
        }
        Err(JournalError::Unreadable { .. }) => counts.tally("beyond repair"),
        Err(error) => counts.check(false, seed, || format!("repair: {error}")),
    }
}
