//! The write-ahead area: what was acknowledged from it is there after a crash, or its loss is named.
#![allow(clippy::unwrap_used)]

use onetape_engine::block::Block;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Quote, Record};
use onetape_journal::{
    JournalError, JournalReader, JournalWriter, Recovery, SealState, Snapshot, check_seal, repair, verify,
};
use onetape_tape::codec::Hash;
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const RUN: [u8; 32] = [7; 32];
const PAGE: usize = 4096;

/// Takes any run up again.
struct Anything;

impl Recovery for Anything {
    type Error = JournalError;

    fn begin(&mut self, _: &Block, _: &mut dyn Iterator<Item = Snapshot>) -> Result<(), JournalError> {
        Ok(())
    }

    fn block(&mut self, _: &Block, _: Hash) -> Result<(), JournalError> {
        Ok(())
    }
}

fn ticks(first_seq: u64, count: u64) -> Block {
    let tick = |n| Record::new(Head::at(Nanos(first_seq + n), InstrumentIx::NONE), Body::Tick);
    Block { first_seq, inputs: (0..count).map(tick).collect(), ..Block::default() }
}

/// Quotes that do not compress.
fn wide(first_seq: u64) -> Block {
    let mut state = first_seq + 1;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 16) as i64
    };
    let quote = |n| {
        let quote =
            Quote { bid: noise(), ask: noise(), bid_size: noise(), ask_size: noise(), ..Quote::default() };
        Record::new(Head::at(Nanos(first_seq + n), InstrumentIx(0)), Body::Quote(quote))
    };
    Block { first_seq, inputs: (0..4_096).map(quote).collect(), ..Block::default() }
}

fn copy(from: &Path, to: &Path) {
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

fn damage(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn area(journal: &Path) -> PathBuf {
    journal.join("db/ahead")
}

/// A journal whose process died right after these blocks were acknowledged from the area, block by block: the
/// database was never told to make them durable.
fn died_after(folder: &Path, blocks: &[Block]) -> PathBuf {
    let mut writer = JournalWriter::create(&folder.join("live"), RUN).unwrap();
    writer.open_ahead().unwrap();
    let acknowledged = Cell::new(0);
    for block in blocks {
        writer
            .append_awaited(block, || {
                acknowledged.set(acknowledged.get() + block.len() as u64);
                Ok(())
            })
            .unwrap();
    }
    assert_eq!(acknowledged.get(), blocks.iter().map(|block| block.len() as u64).sum::<u64>());
    let dead = folder.join("dead");
    copy(&folder.join("live"), &dead);
    dead
}

fn three() -> [Block; 3] {
    [ticks(0, 3), ticks(3, 4), ticks(7, 5)]
}

#[test]
fn what_was_acknowledged_is_read_repaired_and_resumed_although_no_commit_came() {
    let folder = TempDir::new().unwrap();
    let dead = died_after(folder.path(), &three());
    let before = fs::read(area(&dead)).unwrap();
    let report = verify(&dead).unwrap();
    assert!(report.ok && !report.sealed, "{}", report.message);
    assert_eq!((report.events, report.blocks), (12, 3));
    let reader = JournalReader::open(&dead).unwrap();
    assert_eq!(reader.blocks().collect::<Result<Vec<_>, _>>().unwrap(), three());
    drop(reader);
    assert_eq!(fs::read(area(&dead)).unwrap(), before, "reading changes nothing");

    let repaired = folder.path().join("repaired");
    copy(&dead, &repaired);
    let fixed = repair(&repaired).unwrap();
    assert_eq!((fixed.events, fixed.lost), (12, 0), "{}", fixed.problem);
    assert!(verify(&repaired).unwrap().sealed);

    let mut writer = JournalWriter::resume(&dead, &mut Anything).unwrap();
    assert_eq!(writer.next_seq(), 12);
    assert!(!area(&dead).exists(), "a batch of the dead process must not meet those to come");
    writer.open_ahead().unwrap();
    writer.append_awaited(&ticks(12, 2), || Ok(())).unwrap();
    let summary = writer.finish().unwrap();
    assert!(!area(&dead).exists(), "the closing removes it");
    assert!(matches!(check_seal(&dead).unwrap(), SealState::Intact(_)));
    let report = verify(&dead).unwrap();
    assert!(report.ok && report.sealed && report.head == summary.head_hash.to_string(), "{}", report.message);
}

/// The first batch of a lap has no neighbour before it to be missed by: those after it tell.
#[test]
fn an_acknowledged_batch_that_rotted_is_named_by_any_later_one() {
    let folder = TempDir::new().unwrap();
    let dead = died_after(folder.path(), &three());
    for (page, there) in [(0, 0), (1, 3)] {
        let rotted = folder.path().join(format!("rotted-{page}"));
        copy(&dead, &rotted);
        damage(&area(&rotted), page * PAGE + 50);
        let report = verify(&rotted).unwrap();
        assert!(!report.ok, "page {page}: {}", report.message);
        assert_eq!((report.first_bad_seq, report.events), (Some(there), there), "{}", report.message);
        let refused = JournalWriter::resume(&rotted, &mut Anything).unwrap_err();
        assert!(matches!(refused, JournalError::Chain { .. }), "{refused}");
        match repair(&rotted) {
            Ok(fixed) => assert_eq!((fixed.events, fixed.lost), (there, 12 - there)),
            Err(error) => assert!(there == 0 && matches!(error, JournalError::Unreadable { .. }), "{error}"),
        }
    }
}

#[test]
fn a_database_that_no_longer_opens_is_repaired_from_the_area_alone() {
    let folder = TempDir::new().unwrap();
    let dead = died_after(folder.path(), &three());
    fs::write(dead.join("db/db"), b"no database").unwrap();
    assert!(!verify(&dead).unwrap().ok);
    let fixed = repair(&dead).unwrap();
    assert_eq!((fixed.events, fixed.lost), (12, 0), "{}", fixed.problem);
    let reader = JournalReader::open(&dead).unwrap();
    assert_eq!(reader.blocks().collect::<Result<Vec<_>, _>>().unwrap(), three());
    assert_eq!(reader.header().run_id, Hash(RUN).to_string());
}

/// The area's name may come back after a power cut between its removal and the folder's sync.
#[test]
fn an_area_that_came_back_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let dead = died_after(folder.path(), &three());
    let stale = fs::read(area(&dead)).unwrap();
    let mut writer = JournalWriter::resume(&dead, &mut Anything).unwrap();
    writer.append(&ticks(12, 2)).unwrap();
    writer.commit().unwrap();
    drop(writer);
    fs::write(area(&dead), &stale).unwrap();
    let report = verify(&dead).unwrap();
    assert!(report.ok && report.events == 14, "{}", report.message);
    // Resumed again, and the process died before the removal: the same.
    let mut writer = JournalWriter::resume(&dead, &mut Anything).unwrap();
    assert_eq!(writer.next_seq(), 14);
    writer.open_ahead().unwrap();
    writer.append_awaited(&ticks(14, 1), || Ok(())).unwrap();
    assert_eq!(writer.finish().unwrap().inputs, 15);
    assert!(verify(&dead).unwrap().sealed);
}

/// The area of another run, or one cut short by a copy, promises nothing that it cannot show.
#[test]
fn a_foreign_area_is_not_read_and_a_short_one_gives_what_it_holds() {
    let folder = TempDir::new().unwrap();
    let dead = died_after(folder.path(), &three());
    let mut writer = JournalWriter::create(&folder.path().join("other"), [8; 32]).unwrap();
    writer.append(&ticks(0, 1)).unwrap();
    writer.commit().unwrap();
    drop(writer);
    let other = folder.path().join("other");
    fs::copy(area(&dead), area(&other)).unwrap();
    let report = verify(&other).unwrap();
    assert!(report.ok && report.events == 1, "{}", report.message);
    let whole = fs::read(area(&dead)).unwrap();
    for (length, events) in [(0, 0), (100, 0), (PAGE, 3), (PAGE + 40, 3), (3 * PAGE, 12)] {
        let short = folder.path().join(format!("short-{length}"));
        copy(&dead, &short);
        fs::write(area(&short), &whole[..length]).unwrap();
        let report = verify(&short).unwrap();
        assert!(report.ok && report.events == events, "{length}: {}", report.message);
    }
}

#[test]
fn an_area_that_cannot_be_made_or_read_is_an_error_and_final() {
    let folder = TempDir::new().unwrap();
    let dead = died_after(folder.path(), &three());
    let mut writer = JournalWriter::create(&folder.path().join("run"), RUN).unwrap();
    fs::create_dir(area(&folder.path().join("run"))).unwrap();
    let refused = writer.open_ahead().unwrap_err();
    assert!(refused.to_string().contains("write-ahead area"), "{refused}");
    assert_eq!(writer.append(&ticks(0, 1)).unwrap_err().to_string(), refused.to_string());

    fs::remove_file(area(&dead)).unwrap();
    fs::create_dir(area(&dead)).unwrap();
    let report = verify(&dead).unwrap();
    assert!(!report.ok && report.message.contains("write-ahead area"), "{}", report.message);
    let refused = JournalWriter::resume(&dead, &mut Anything).unwrap_err();
    assert!(refused.to_string().contains("write-ahead area"), "{refused}");
    let refused = repair(&dead).unwrap_err();
    assert!(refused.to_string().contains("write-ahead area"), "{refused}");
}

#[test]
fn more_than_the_area_holds_waits_for_a_commit() {
    let folder = TempDir::new().unwrap();
    let live = folder.path().join("live");
    let mut writer = JournalWriter::create(&live, RUN).unwrap();
    writer.open_ahead().unwrap();
    let acknowledged = Cell::new(0);
    let wide = (0..24).map(|n| wide(n * 4_096));
    for (n, block) in wide.enumerate() {
        if n % 23 == 22 {
            writer
                .append_awaited(&block, || {
                    acknowledged.set(acknowledged.get() + 1);
                    Ok(())
                })
                .unwrap();
        } else {
            writer.append(&block).unwrap();
        }
    }
    writer
        .append_awaited(&ticks(24 * 4_096, 1), || {
            acknowledged.set(acknowledged.get() + 1);
            Ok(())
        })
        .unwrap();
    assert_eq!(acknowledged.get(), 2);
    let dead = folder.path().join("dead");
    copy(&live, &dead);
    let report = verify(&dead).unwrap();
    assert!(report.ok && report.events == 24 * 4_096 + 1, "{}", report.message);
}
