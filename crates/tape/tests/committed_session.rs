//! The committed session is what its seed generates.

use onetape_tape::generate::{DEMO_SEED, GenerateRequest, Outlook, generate, outlook};
use onetape_tape::session::SessionReader;
use std::path::Path;

fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../replay-data/one-2d")
}

#[test]
fn the_seed_gives_the_committed_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("again");
    let again = generate(&GenerateRequest::new(DEMO_SEED), &out, &mut |_| {}).expect("the demo request");
    let reader = SessionReader::open(&committed()).expect("the committed session");
    assert_eq!(again.manifest.content_hash, reader.manifest().content_hash);
    for name in ["blocks.tape", "history.csv", "manifest.json"] {
        let (ours, theirs) = (std::fs::read(out.join(name)), std::fs::read(committed().join(name)));
        assert!(ours.expect("generated") == theirs.expect("committed"), "{name} differs");
    }
}

#[test]
fn the_committed_session_is_large_enough_and_small_enough() {
    let reader = SessionReader::open(&committed()).expect("the committed session");
    let manifest = reader.manifest();
    assert!(manifest.inputs >= 300_000, "{}", manifest.inputs);
    assert_eq!(manifest.instruments, 651);
    assert_eq!(GenerateRequest::of_manifest(manifest), Some(GenerateRequest::new(DEMO_SEED)));
    assert_eq!(manifest.trade_dates, [20250515, 20250516]);
    let bytes: u64 = std::fs::read_dir(committed())
        .expect("a folder")
        .map(|entry| entry.and_then(|entry| entry.metadata()).expect("a file").len())
        .sum();
    assert!(bytes <= 8_000_000, "{bytes}");
}

/// On the Friday an iron condor sold at 09:45 has a short strike tested at more than twice its credit
/// before half of it is earned, and the 40-delta put is assigned within 0.3 % of its strike: the
/// demonstration does not simply win.
#[test]
fn the_demo_day_does_not_simply_win() {
    let day: Outlook = outlook(&GenerateRequest::new(DEMO_SEED), 1, 15).expect("the demo request");
    assert!(day.is_tested && day.credit > 0.15, "{day:?}");
    let (worst, at) = day.worst;
    assert!(worst > 2.0 * day.credit && day.half_earned.is_none_or(|half| half > at), "{day:?}");
    assert!(day.put_distance < 0.0 && day.put_distance > -0.003, "{day:?}");
    assert!(day.iv_rank >= 50.0, "{day:?}");
}
