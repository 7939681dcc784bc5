//! Trials on the simulated disk: power cuts, slow syncs, lost and misdirected writes, failing
//! operations.

use crate::run::{Rng, blocks, seed_of};
use crate::trials::Counts;
use onetape_engine::block::Block;
use onetape_journal::{Anchor, Fate, Fault, JournalError, JournalReader, JournalWriter, MemoryStore};

const RUN: [u8; 32] = [7; 32];

fn reader(disk: MemoryStore, anchor: Anchor) -> Result<JournalReader, JournalError> {
    JournalReader::over(Box::new(disk), Some(anchor), "disk".to_string())
}

fn end(block: &Block) -> u64 {
    block.first_seq + block.len() as u64
}

/// The written blocks up to `seq`, or a description of the first difference.
fn is_prefix(reader: &JournalReader, written: &[Block], committed: u64) -> Result<u64, String> {
    let mut blocks = reader.blocks();
    let mut read = Block::default();
    for block in written {
        match blocks.next_block(&mut read) {
            Ok(true) if read == *block => {}
            Ok(true) => return Err(format!("block {} was replaced", block.first_seq)),
            Ok(false) | Err(_) => break,
        }
    }
    if blocks.next_seq() < committed {
        return Err(format!("{committed} events were committed, {} are there", blocks.next_seq()));
    }
    Ok(blocks.next_seq())
}

/// A writer whose anchors are kept as a file would keep them.
struct Run {
    writer: JournalWriter,
    anchor: Anchor,
    /// Seq up to which the writer said that everything is durable.
    acknowledged: u64,
}

impl Run {
    fn start(disk: &MemoryStore, writes_ahead: bool) -> Run {
        let mut writer = JournalWriter::over_store(Box::new(disk.clone()), RUN).unwrap();
        let begun = if writes_ahead { writer.open_ahead() } else { writer.commit() };
        begun.unwrap();
        let anchor = Anchor { count: 1, seq: 0, hash: writer.head() };
        Run { writer, anchor, acknowledged: 0 }
    }

    /// As orders wait: acknowledged by the write-ahead area, before the database has the block; the anchor stays behind.
    fn append_awaited(&mut self, block: &Block) -> Result<(), JournalError> {
        let Run { writer, acknowledged, .. } = self;
        writer.append_awaited(block, || {
            *acknowledged = end(block);
            Ok(())
        })
    }

    fn append_and_commit(&mut self, block: &Block) -> Result<(), JournalError> {
        self.writer.append(block)?;
        self.commit(end(block))
    }

    fn commit(&mut self, seq: u64) -> Result<(), JournalError> {
        self.writer.commit()?;
        self.anchor = Anchor { count: self.anchor.count + 1, seq, hash: self.writer.head() };
        self.acknowledged = seq;
        Ok(())
    }
}

/// What was committed is there, what is there was written.
fn judge(
    found: MemoryStore,
    (anchor, acknowledged): (Anchor, u64),
    written: &[Block],
    counts: &mut Counts,
    seed: u64,
) {
    let reader = reader(found, anchor).unwrap();
    let prefix = is_prefix(&reader, written, acknowledged);
    counts.check(prefix.is_ok(), seed, || prefix.clone().unwrap_err());
    let report = reader.verify();
    counts.check(report.ok, seed, || report.message.clone());
    counts.tally(match prefix {
        Ok(seq) if seq > acknowledged => "found with blocks that were not committed",
        Ok(seq) if seq > anchor.seq => "found with blocks written ahead of the database",
        Ok(_) => "found as last committed",
        Err(_) => "LOST",
    });
}

fn cut(disk: &MemoryStore, rng: &mut Rng, counts: &mut Counts) -> MemoryStore {
    let mut fates = [0u64; 4];
    // Some cuts keep nearly everything, so that whole blocks beyond the anchor survive.
    let keep = [0, 25, 95][rng.below(3)];
    let found = disk.after_power_cut(|value| {
        let fate = if rng.chance(keep) { 0 } else { rng.below(4) };
        fates[fate] += 1;
        match fate {
            0 => Fate::Kept,
            1 => Fate::Dropped,
            2 => Fate::Torn(rng.below(value.len())),
            _ => Fate::Garbage(rng.next()),
        }
    });
    let names = ["puts kept", "puts dropped", "puts torn", "puts garbage"];
    for (name, count) in names.into_iter().zip(fates).filter(|(_, count)| *count > 0) {
        *counts.outcomes.entry(name).or_default() += count;
    }
    found
}

/// Power cuts between operations and, with a slow sync, during one.
pub fn power_cuts(trials: u64, seed: u64) -> Counts {
    let mut counts = Counts::default();
    for trial in 0..trials {
        let seed = seed_of(seed, trial);
        let mut rng = Rng(seed);
        let count = 1 + rng.below(6);
        let written = blocks(&mut rng, count);
        let disk = MemoryStore::default();
        let writes_ahead = rng.chance(50);
        let mut run = Run::start(&disk, writes_ahead);
        let stop = rng.below(written.len() + 1);
        for block in &written[..stop] {
            match rng.below(10) {
                0..3 => run.append_and_commit(block).unwrap(),
                3..7 if writes_ahead => run.append_awaited(block).unwrap(),
                _ => run.writer.append(block).unwrap(),
            }
        }
        counts.trials += 1;
        if rng.chance(25) {
            let told = (run.anchor, run.acknowledged);
            let waiting = written.get(stop).filter(|_| writes_ahead && rng.chance(50));
            let found = during_a_slow_sync(&disk, run, waiting, &mut rng, &mut counts);
            judge(found, told, &written, &mut counts, seed);
            // The sync returned after all, and the machine stayed up: everything is there.
            let all = waiting.or(written[..stop].last()).map_or(0, end);
            let whole = disk.after_power_cut(|_| Fate::Dropped);
            let prefix = is_prefix(&reader(whole, told.0).unwrap(), &written, all);
            counts.check(prefix == Ok(all), seed, || format!("after the slow sync: {prefix:?}"));
        } else {
            let found = cut(&disk, &mut rng, &mut counts);
            judge(found, (run.anchor, run.acknowledged), &written, &mut counts, seed);
        }
    }
    counts
}

/// Cuts the power while a commit, or the write ahead of a block, waits for the medium; nobody was told that it is
/// durable.
fn during_a_slow_sync(
    disk: &MemoryStore,
    mut run: Run,
    waiting: Option<&Block>,
    rng: &mut Rng,
    counts: &mut Counts,
) -> MemoryStore {
    disk.hold_commit(1);
    std::thread::scope(|scope| {
        let syncing = scope.spawn(move || match waiting {
            Some(block) => run.append_awaited(block),
            None => run.writer.commit(),
        });
        disk.wait_until_held();
        let found = cut(disk, rng, counts);
        disk.release();
        syncing.join().unwrap().unwrap();
        let during = waiting.map_or("cuts during a slow sync", |_| "cuts during a slow write ahead");
        counts.tally(during);
        found
    })
}

/// A write that is acknowledged, synced, and is not where it should be: named, or without effect.
pub fn betrayed_writes(trials: u64, seed: u64) -> Counts {
    let mut counts = Counts::default();
    for trial in 0..trials {
        let seed = seed_of(seed, trial);
        let mut rng = Rng(seed);
        let count = 2 + rng.below(6);
        let written = blocks(&mut rng, count);
        let disk = MemoryStore::default();
        let mut run = Run::start(&disk, false);
        // Puts and commits of a run of this many blocks; a commit cannot be betrayed.
        let operation = disk.operations() + 1 + rng.below(written.len()) as u64;
        let is_lost = rng.chance(50);
        disk.inject(operation, if is_lost { Fault::Lost } else { Fault::Misdirected(rng.next()) });
        for block in &written {
            run.writer.append(block).unwrap();
        }
        run.commit(written.last().map_or(0, end)).unwrap();
        counts.trials += 1;
        counts.tally(if is_lost { "writes lost" } else { "writes misdirected" });
        let found = disk.after_power_cut(|_| Fate::Dropped);
        weigh(found, run.anchor, (&written, run.anchor.seq), &mut counts, seed);
    }
    counts
}

/// The same of writes ahead of the database, but for the last: that one only the log of what left can tell.
pub fn betrayed_ahead(trials: u64, seed: u64) -> Counts {
    let mut counts = Counts::default();
    for trial in 0..trials {
        let seed = seed_of(seed, trial);
        let mut rng = Rng(seed);
        let count = 2 + rng.below(6);
        let written = blocks(&mut rng, count);
        let disk = MemoryStore::default();
        let mut run = Run::start(&disk, true);
        let (betrayed, is_lost) = (rng.below(count - 1), rng.chance(50));
        for (n, block) in written.iter().enumerate() {
            if n == betrayed {
                let fault = if is_lost { Fault::Lost } else { Fault::Misdirected(rng.next()) };
                disk.inject(disk.operations() + 1, fault);
            }
            run.append_awaited(block).unwrap();
        }
        counts.trials += 1;
        counts.tally(if is_lost { "writes ahead lost" } else { "writes ahead misdirected" });
        // By luck the database has some of what it was given.
        let keep = [0, 50, 100][rng.below(3)];
        let found = disk.after_power_cut(|_| if rng.chance(keep) { Fate::Kept } else { Fate::Dropped });
        weigh(found, run.anchor, (&written, run.acknowledged), &mut counts, seed);
    }
    counts
}

/// Named, or everything that was acknowledged is there.
fn weigh(
    found: MemoryStore,
    anchor: Anchor,
    (written, acknowledged): (&[Block], u64),
    counts: &mut Counts,
    seed: u64,
) {
    let reader = match reader(found, anchor) {
        Ok(reader) => reader,
        Err(JournalError::Unreadable { .. }) => return counts.tally("named: no run header"),
        Err(error) => return counts.check(false, seed, || error.to_string()),
    };
    let report = reader.verify();
    let is_whole = is_prefix(&reader, written, acknowledged).is_ok();
    counts.tally(match (report.ok, is_whole) {
        (false, _) => "named",
        (true, true) => "every block intact",
        (true, false) => "SILENT LOSS",
    });
    counts.check(!report.ok || is_whole, seed, || format!("silently short: {}", report.message));
}

/// A fault at every operation of a short run: the writer stops for good, the anchor holds.
pub fn failing_operations(seed: u64) -> Counts {
    let mut counts = Counts::default();
    for fault in [Fault::Broken, Fault::FailsOnce, Fault::Full] {
        for writes_ahead in [false, true] {
            for n in 1.. {
                if !failing_operation(n, fault, writes_ahead, seed, &mut counts) {
                    break;
                }
            }
        }
    }
    counts
}

/// False when the run has fewer than `n` operations after its start.
fn failing_operation(n: u64, fault: Fault, writes_ahead: bool, seed: u64, counts: &mut Counts) -> bool {
    let written = blocks(&mut Rng(seed), 8);
    let disk = MemoryStore::default();
    let mut run = Run::start(&disk, writes_ahead);
    disk.inject(disk.operations() + n, fault);
    let mut failure = None;
    for (index, block) in written.iter().enumerate() {
        let done = if writes_ahead && index % 3 < 2 {
            run.append_awaited(block)
        } else {
            run.append_and_commit(block)
        };
        failure = failure.or(done.err());
    }
    let Some(failure) = failure else { return false };
    counts.trials += 1;
    counts.tally(match fault {
        Fault::Full => "full disks",
        Fault::FailsOnce => "single errors",
        _ => "broken disks",
    });
    let latched =
        |again: Result<(), JournalError>| again.is_err_and(|e| e.to_string() == failure.to_string());
    let is_latched = latched(run.writer.commit()) && latched(run.writer.append(&written[0]));
    // The medium serves again, the writer does not.
    disk.heal();
    let is_final = latched(run.writer.append(&written[0])) && latched(run.writer.commit());
    if writes_ahead {
        counts.tally("of them while writing ahead");
    }
    counts.check(is_latched && is_final, n, || format!("{fault:?}: not latched after {failure}"));
    let told = (run.anchor, run.acknowledged);
    judge(disk.after_power_cut(|_| Fate::Dropped), told, &written, counts, n);
    true
}
