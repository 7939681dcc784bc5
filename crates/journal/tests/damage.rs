//! Damaged, unclosed, foreign and forged journals: each is named, none is changed by reading.
#![allow(clippy::unwrap_used)]

mod common;

use common::{run, write};
use onetape_engine::block::Block;
use onetape_engine::event::Event;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Quote, Record};
use onetape_journal::{
    JournalError, JournalReader, JournalWriter, Recovery, SealState, SledStore, Snapshot, Store, Tree,
    check_seal, repair, rewrite, verify,
};
use onetape_tape::codec::Hash;
use std::fs;
use std::path::{Path, PathBuf};

/// Quotes that do not compress: one block fills two values and more.
fn wide_block(first_seq: u64) -> Block {
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

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

fn flip(path: &Path, bit: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

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

#[test]
fn a_block_larger_than_a_value_is_chunked_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let blocks: Vec<Block> = (0..3).map(|n| wide_block(n * 4_096)).collect();
    let summary = write(dir.path(), 1, &blocks);
    assert!(summary.frame_bytes > 3 * 2 * 49_152, "each block needs several values");
    let reader = JournalReader::open(dir.path()).unwrap();
    assert_eq!(reader.blocks().collect::<Result<Vec<_>, _>>().unwrap(), blocks);
    assert_eq!(fs::read_dir(dir.path().join("db/blobs")).unwrap().count(), 0);
}

/// Closing looks for the fixed point of sled's files and does not assume it: a resumed run was once found changed
/// after sealing.
#[test]
fn reading_a_resumed_and_sealed_journal_changes_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let blocks: Vec<Block> = (0..60).map(|n| wide_block(n * 4_096)).collect();
    let mut writer = JournalWriter::create(dir.path(), [7; 32]).unwrap();
    for (n, block) in blocks.iter().enumerate() {
        writer.append(block).unwrap();
        if n % 5 == 0 {
            writer.commit().unwrap();
        }
        if n % 20 == 19 {
            writer.commit().unwrap();
            drop(writer);
            writer = JournalWriter::resume(dir.path(), &mut Anything).unwrap();
        }
    }
    writer.finish().unwrap();
    let before = files(dir.path());
    for _ in 0..3 {
        let report = verify(dir.path()).unwrap();
        assert!(report.ok && report.sealed && report.blocks == 60, "{}", report.message);
    }
    assert!(files(dir.path()) == before);
}

#[test]
fn reading_a_sealed_journal_changes_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1, &run(["SPY", "GOOG"], "5", "74.10"));
    let before = files(dir.path());
    for _ in 0..2 {
        let report = verify(dir.path()).unwrap();
        assert!(report.ok && report.sealed, "{}", report.message);
        // Two at a time.
        let (first, second) = (JournalReader::open(dir.path()), JournalReader::open(dir.path()));
        assert_eq!(first.unwrap().blocks().count(), 2);
        assert_eq!(second.unwrap().blocks().count(), 2);
    }
    assert!(files(dir.path()) == before);
}

#[test]
fn an_unclosed_journal_is_read_from_a_copy_up_to_what_fits() {
    let dir = tempfile::tempdir().unwrap();
    let blocks = run(["SPY", "GOOG"], "5", "74.10");
    let mut writer = JournalWriter::create(dir.path(), [1; 32]).unwrap();
    writer.append(&blocks[0]).unwrap();
    writer.commit().unwrap();
    assert!(matches!(JournalReader::open(dir.path()), Err(JournalError::InUse { .. })));
    writer.append(&blocks[1]).unwrap();
    drop(writer);
    let before = files(dir.path());
    let report = verify(dir.path()).unwrap();
    assert!(report.ok && !report.sealed, "{}", report.message);
    assert_eq!(report.blocks, 2, "what follows the anchor and fits is kept");
    assert!(files(dir.path()) == before);

    let repaired = repair(dir.path()).unwrap();
    assert!(repaired.changed);
    assert_eq!((repaired.blocks, repaired.events, repaired.lost), (2, 12, 0));
    let after = verify(dir.path()).unwrap();
    assert!(after.ok && after.sealed, "{}", after.message);
    assert_eq!(after.head, report.head);
    let kept_at = repaired.kept_at.unwrap();
    assert_eq!(files(&kept_at).len(), before.len());
    fs::remove_dir_all(kept_at).unwrap();
    assert!(!repair(dir.path()).unwrap().changed);
}

/// A repair seals what it kept, and a run that did not end may go on all the same; one that ended may not.
#[test]
fn a_repaired_journal_goes_on_unless_its_run_had_ended() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("journal");
    let blocks = run(["SPY", "GOOG"], "5", "74.10");
    let mut writer = JournalWriter::create(&at, [1; 32]).unwrap();
    writer.append(&blocks[0]).unwrap();
    writer.commit().unwrap();
    drop(writer);
    assert!(repair(&at).unwrap().changed);
    assert!(verify(&at).unwrap().sealed);
    let mut writer = JournalWriter::resume(&at, &mut Anything).unwrap();
    assert!(!at.join("SEAL").exists() && at.join("SEAL.superseded").is_file());
    let mut last = blocks[1].clone();
    last.inputs.last_mut().unwrap().flags |= onetape_engine::record::flags::END;
    writer.append(&last).unwrap();
    let summary = writer.finish().unwrap();
    let report = verify(&at).unwrap();
    assert!(report.ok && report.sealed && report.head == summary.head_hash.to_string(), "{}", report.message);
    let again = JournalWriter::resume(&at, &mut Anything);
    assert!(matches!(again, Err(JournalError::Closed { .. })), "its last input ends the run");
    assert!(verify(&at).unwrap().sealed, "a refusal changes nothing");
    flip(&at.join("SEAL.superseded"), 9);
    assert!(!verify(&at).unwrap().ok);
}

/// sled keeps neighbours together: many large values in a row must not make a leaf that spills into `blobs/`,
/// which is never synced (a commit that finds a file there fails).
#[test]
fn a_burst_of_large_blocks_spills_into_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = JournalWriter::create(dir.path(), [7; 32]).unwrap();
    for n in 0..120 {
        writer.append(&wide_block(n * 4_096)).unwrap();
        // A reader beside the writer makes sled write leaves anew.
        let (mut log, mut block) = (writer.live_log().unwrap(), Block::default());
        for seq in (0..=n).rev().take(6) {
            assert!(log.block(seq * 4_096, &mut block).unwrap().is_some());
        }
        if n % 7 == 0 {
            writer.commit().unwrap();
        }
    }
    let summary = writer.finish().unwrap();
    assert!(summary.frame_bytes > 120 * 100_000, "{summary:?}");
    assert_eq!(fs::read_dir(dir.path().join("db/blobs")).unwrap().count(), 0);
    assert!(verify(dir.path()).unwrap().ok);
}

#[test]
fn every_changed_file_breaks_the_seal() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1, &run(["SPY", "GOOG"], "5", "74.10"));
    for (path, bytes) in files(dir.path()) {
        for bit in [0, bytes.len() * 4, bytes.len() * 8 - 1] {
            flip(&path, bit);
            assert!(
                matches!(check_seal(dir.path()), Ok(SealState::Broken(_))),
                "{} bit {bit}",
                path.display()
            );
            assert!(!verify(dir.path()).unwrap().ok);
            fs::write(&path, &bytes).unwrap();
        }
        fs::remove_file(&path).unwrap();
        assert!(!matches!(check_seal(dir.path()), Ok(SealState::Intact(_))), "{}", path.display());
        fs::write(&path, &bytes).unwrap();
    }
    fs::write(dir.path().join("extra"), "x").unwrap();
    assert!(matches!(check_seal(dir.path()), Ok(SealState::Broken(_))));
    fs::remove_file(dir.path().join("extra")).unwrap();
    assert!(verify(dir.path()).unwrap().ok);
}

#[test]
fn a_lost_end_is_named_with_its_gap() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let blocks = run(["SPY", "GOOG"], "5", "74.10");
    write(dir.path(), 1, &blocks);
    write(other.path(), 1, &blocks[..1]);
    // The shorter database under the longer one's anchor, as after a lost tail.
    fs::remove_file(dir.path().join("SEAL")).unwrap();
    fs::remove_dir_all(dir.path().join("db")).unwrap();
    fs::rename(other.path().join("db"), dir.path().join("db")).unwrap();
    let report = verify(dir.path()).unwrap();
    assert!(!report.ok);
    assert_eq!(report.first_bad_seq, Some(7));
    assert!(report.message.contains("12 events were committed, only 7 are there"), "{}", report.message);
    let repaired = repair(dir.path()).unwrap();
    assert_eq!((repaired.events, repaired.lost), (7, 5));
    fs::remove_dir_all(repaired.kept_at.unwrap()).unwrap();
}

#[test]
fn blocks_behind_a_damaged_database_are_salvaged() {
    let dir = tempfile::tempdir().unwrap();
    let blocks = run(["SPY", "GOOG"], "5", "74.10");
    let summary = write(dir.path(), 1, &blocks);
    // Without its configuration, snapshot and first bytes sled has nothing to start from.
    for (path, bytes) in files(&dir.path().join("db")) {
        if path.ends_with("db") {
            let mut bytes = bytes;
            bytes[..64].fill(0xff);
            fs::write(&path, bytes).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
    assert!(!verify(dir.path()).unwrap().ok);
    let repaired = repair(dir.path()).unwrap();
    assert_eq!((repaired.events, repaired.lost), (12, 0));
    assert_eq!(repaired.head, summary.head_hash.to_string());
    assert!(verify(dir.path()).unwrap().ok);
    fs::remove_dir_all(repaired.kept_at.unwrap()).unwrap();
}

#[test]
fn missing_foreign_and_newer_journals_are_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(verify(dir.path()), Err(JournalError::Missing { .. })));
    assert!(matches!(repair(dir.path()), Err(JournalError::Missing { .. })));

    let foreign = dir.path().join("foreign");
    fs::create_dir_all(foreign.join("db")).unwrap();
    fs::write(foreign.join("db/db"), b"not a database at all, but long enough to look like a file").unwrap();
    match JournalReader::open(&foreign) {
        Err(JournalError::Unreadable { .. }) => {}
        other => panic!("{other:?}"),
    }

    let newer = dir.path().join("newer");
    write(&newer, 1, &run(["SPY", "GOOG"], "5", "74.10"));
    let mut store = SledStore::open(&newer.join("db")).unwrap();
    let header = format!(r#"{{"version":9,"run_id":"{}","program":"9"}}"#, "01".repeat(32));
    store.put(Tree::Meta, b"run", header.as_bytes()).unwrap();
    store.commit().unwrap();
    drop(store);
    fs::remove_file(newer.join("SEAL")).unwrap();
    assert!(matches!(JournalReader::open(&newer), Err(JournalError::Version { found: 9, .. })));
}

#[test]
fn a_forged_event_verifies_because_only_rederiving_can_tell() {
    let dir = tempfile::tempdir().unwrap();
    let (honest, forged) = (dir.path().join("honest"), dir.path().join("forged"));
    let was = write(&honest, 1, &run(["SPY", "GOOG"], "5", "74.10"));
    let is = rewrite(&honest, &forged, |block| {
        for derived in &mut block.derived {
            if let Event::Fill { execution, .. } = &mut derived.event {
                execution.price = "1.00".parse().unwrap();
            }
        }
    })
    .unwrap();
    assert_ne!((was.head_hash, was.derived_hash), (is.head_hash, is.derived_hash));
    let report = verify(&forged).unwrap();
    assert!(report.ok && report.sealed);
    let copy = rewrite(&honest, &dir.path().join("copy"), |_| {}).unwrap();
    assert_eq!(copy.head_hash, was.head_hash);
}
