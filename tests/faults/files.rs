//! Trials on recorded database files: power cuts at any call, lost and misdirected writes, a
//! refusal of every call.

use crate::medium::{Medium, betrayed};
use crate::recording::{Ending, JOURNAL, Op, Recorder, Recording, Refusal};
use crate::run::{Rng, seed_of};
use crate::sled_files::judge;
use crate::trials::Counts;
use onetape_journal::{VerifyReport, verify};
use std::fs;
use std::path::Path;

/// Trials per recorded run.
const PER_RECORDING: u64 = 10;

fn end_of(recording: &Recording) -> u64 {
    recording.written.last().map_or(0, |block| block.first_seq + block.len() as u64)
}

/// Calls `trial` with a recording, a seed and an empty place; recordings are made anew now and then.
fn each(
    recorder: &Recorder,
    folder: &Path,
    (trials, seed): (u64, u64),
    mut trial: impl FnMut(&Recording, u64, &Path, &mut Counts),
) -> Counts {
    let mut counts = Counts::default();
    let mut recording = None;
    for n in 0..trials {
        let seed = seed_of(seed, n);
        if n % PER_RECORDING == 0 {
            let blocks = 3 + Rng(seed).below(40);
            let made = recorder.record(&folder.join("recorded"), seed, blocks, None);
            counts.check(made.ending == Ending::Finished, seed, || format!("not written: {:?}", made.ending));
            *counts.outcomes.entry("calls recorded").or_default() += made.ops.len() as u64;
            recording = Some(made);
        }
        let place = folder.join("place");
        counts.trials += 1;
        trial(recording.as_ref().expect("made above"), seed, &place, &mut counts);
        fs::remove_dir_all(&place).unwrap();
    }
    counts
}

/// The power goes after any call of a writer, its closing and sealing included.
pub fn power_cuts(recorder: &Recorder, folder: &Path, trials: u64, seed: u64) -> Counts {
    each(recorder, folder, (trials, seed), |recording, seed, place, counts| {
        let mut rng = Rng(seed);
        let stop = cut_point(&recording.ops, &mut rng);
        let (before, after) = recording.ops.split_at(stop);
        let next = after.iter().find_map(|op| if let Op::Committed(seq) = op { Some(*seq) } else { None });
        let medium = Medium::after(before);
        medium.cut(place, [0, 10, 50, 90, 100][rng.below(5)], &mut rng, counts);
        let upto = next.unwrap_or_else(|| end_of(recording));
        if before.iter().any(|op| matches!(op, Op::Create(path) if path.contains("SEAL"))) {
            counts.tally("cuts while sealing");
        }
        if is_ahead(before) {
            counts.tally("cuts while written ahead");
        }
        judge(&place.join(JOURNAL), &recording.written, (medium.committed, upto), counts, seed);
    })
}

/// Whether the last acknowledgement rests on the write-ahead area alone: no sync of the anchor came after the one before.
fn is_ahead(ops: &[Op]) -> bool {
    let last = ops.iter().rposition(|op| matches!(op, Op::Committed(_)));
    let synced = last.map(|last| {
        ops[..last].iter().rev().find_map(|op| if let Op::Sync { path, .. } = op { Some(path) } else { None })
    });
    synced.flatten().is_some_and(|path| path.ends_with("/ahead"))
}

/// Any call, one just before a sync, when most is at stake, or one of the closing, when the journal is sealed.
fn cut_point(ops: &[Op], rng: &mut Rng) -> usize {
    let syncs: Vec<usize> = (0..ops.len()).filter(|n| matches!(ops[*n], Op::Sync { .. })).collect();
    let sealing = ops.iter().position(|op| matches!(op, Op::Create(path) if path.contains("SEAL")));
    match (rng.below(100), sealing) {
        (0..55, _) => syncs[rng.below(syncs.len())],
        (55..65, Some(sealing)) => sealing + 1 + rng.below(ops.len() - sealing),
        _ => rng.below(ops.len() + 1),
    }
}

/// A write that the medium acknowledged and synced, and that is not where it should be.
pub fn betrayed_writes(recorder: &Recorder, folder: &Path, trials: u64, seed: u64) -> Counts {
    each(recorder, folder, (trials, seed), |recording, seed, place, counts| {
        let mut rng = Rng(seed);
        let is_write = |op: &Op| matches!(op, Op::Write { data, .. } if !data.is_empty());
        let writes: Vec<usize> = (0..recording.ops.len()).filter(|n| is_write(&recording.ops[*n])).collect();
        let index = writes[rng.below(writes.len())];
        let Op::Write { path, offset, data } = &recording.ops[index] else { unreachable!("a write") };
        let is_same = |op: &&Op| matches!(op, Op::Write { path: other, .. } if other == path);
        let ends = recording.ops.iter().filter(is_same).map(|op| match op {
            Op::Write { offset, data, .. } => offset + data.len(),
            _ => 0,
        });
        let length = ends.max().unwrap_or(0);
        let elsewhere = rng.below(length.saturating_sub(data.len()) / 512 + 1) * 512;
        let astray = (rng.chance(50) && elsewhere != *offset).then_some(elsewhere);
        betrayed(&recording.ops, index, astray, place);
        counts.tally(if astray.is_some() { "writes misdirected" } else { "writes lost" });
        let dir = place.join(JOURNAL);
        let sealed = verify(&dir);
        let has_seal = matches!(&sealed, Ok(report) if report.sealed);
        weigh(&sealed, has_seal, end_of(recording), counts, seed);
        fs::remove_file(dir.join("SEAL")).ok();
        weigh(&verify(&dir), false, end_of(recording), counts, seed);
    })
}

/// Named, or whole: with an intact seal every byte is as it was.
fn weigh<E: std::fmt::Debug>(
    report: &Result<VerifyReport, E>,
    has_seal: bool,
    all: u64,
    counts: &mut Counts,
    seed: u64,
) {
    match report {
        Ok(report) if report.ok => {
            counts.tally(if has_seal { "overwritten later" } else { "harmless, every block intact" });
            counts.check(report.events == all, seed, || format!("silently short: {report:?}"));
        }
        _ => counts.tally("named"),
    }
}

/// Every call of a short run is refused: the writer stops for good, what it was told is durable is there.
pub fn refusals(recorder: &Recorder, folder: &Path, seed: u64) -> Counts {
    const BLOCKS: usize = 4;
    let mut counts = Counts::default();
    let (root, place) = (folder.join("refused"), folder.join("place"));
    // A run that writes ahead and one that does not.
    let modes = [seed, seed + 1]
        .into_iter()
        .flat_map(|seed| [Refusal::Broken, Refusal::Once, Refusal::Full].map(|refusal| (seed, refusal)));
    for (seed, refusal) in modes {
        for n in 1.. {
            let recording = recorder.record(&root, seed, BLOCKS, Some((n, refusal)));
            if recording.ending == Ending::Finished {
                // One call may fail without harm (an old file that stays); beyond the last there is none.
                if recording.calls < n {
                    break;
                }
                counts.tally("went on: the call did not matter");
            } else {
                let is_stopped = recording.ending == Ending::Stopped;
                counts.check(is_stopped, n, || format!("{refusal:?} at call {n}: {:?}", recording.ending));
                counts.tally(match refusal {
                    Refusal::Broken => "stopped by a broken disk",
                    Refusal::Once => "stopped by one error",
                    Refusal::Full => "stopped by a full disk",
                });
            }
            counts.trials += 1;
            let medium = Medium::after(&recording.ops);
            let all = end_of(&recording);
            // As the process left its files, and after a power cut on top of it.
            judge(&root.join(JOURNAL), &recording.written, (medium.committed, all), &mut counts, n);
            for percent in [0, 50] {
                medium.cut(&place, percent, &mut Rng(n), &mut counts);
                judge(&place.join(JOURNAL), &recording.written, (medium.committed, all), &mut counts, n);
                fs::remove_dir_all(&place).unwrap();
            }
        }
    }
    counts
}
