//! The program as a user meets it: processes, exit codes, messages.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use onetape_engine::event::Event;
use onetape_engine::num::Price;
use onetape_journal::JournalWriter;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

#[path = "paper/mod.rs"]
mod paper;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../replay-data/one-2d");
/// Twenty-four orders in a series that expires on the tape, one of them refused.
const BUSY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/busy.toml");

fn onetape(work: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onetape"));
    command.current_dir(work).env_remove("ONETAPE_OUT");
    command
}

fn json(work: &Path, args: &[&str]) -> (i32, Value) {
    let output = onetape(work).args(args).args(["--json", "--quiet"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), serde_json::from_str(&text).unwrap_or(Value::String(error)))
}

/// Runs a command that must fail; returns its exit code and message.
fn failing(work: &Path, args: &[&str]) -> (i32, String) {
    let output = onetape(work).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!error.contains("panicked"), "{args:?}: {error}");
    assert!(!output.status.success(), "{args:?} succeeded");
    (output.status.code().unwrap(), error)
}

fn field<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}

#[test]
fn two_processes_write_the_same_journal_and_modes_derive_the_same() {
    let work = TempDir::new().unwrap();
    let busy = ["replay", "--session", DEMO, "--script", BUSY];
    let run = |extra: &[&str]| json(work.path(), &[&busy[..], extra].concat());
    let (code, first) = run(&["--out", "a"]);
    assert_eq!(code, 0, "{first}");
    let (_, second) = run(&["--out", "b"]);
    let (_, again) = run(&["--out", "a"]);
    let (_, off) = run(&["--out", "c", "--journal", "off"]);
    assert!(
        first["orders"].as_u64().unwrap() >= 20 && first["refused_orders"].as_u64().unwrap() >= 1,
        "{first}"
    );
    for key in ["run_id", "head_hash", "derived_hash", "state_hash"] {
        assert_eq!(field(&first, key), field(&second, key), "{key}");
    }
    assert_eq!(field(&again, "outcome"), "reproduced");
    assert_eq!(field(&first, "derived_hash"), field(&off, "derived_hash"));
    let show = ["audit", "show", "--out", "a", field(&first, "run_id"), "--kind", "expired"];
    let shown = onetape(work.path()).args(show).output().unwrap();
    assert!(!shown.stdout.is_empty(), "a series expired");
    let (code, verified) =
        json(work.path(), &["audit", "verify", "--out", "a", field(&first, "run_id"), "--rederive"]);
    assert_eq!((code, verified["derived_mismatches"].as_u64()), (0, Some(0)), "{verified}");
    let (code, diff) =
        json(work.path(), &["audit", "diff", field(&first, "run_dir"), field(&second, "run_dir")]);
    assert_eq!((code, diff["equal"].as_bool()), (0, Some(true)), "{diff}");
}

#[test]
fn a_changed_parameter_is_named_with_the_first_divergent_event() {
    let work = TempDir::new().unwrap();
    let (_, a) = json(work.path(), &["replay", "--session", DEMO, "--strategy", "buy-and-hold"]);
    let (_, b) = json(
        work.path(),
        &["replay", "--session", DEMO, "--strategy", "buy-and-hold", "--set", "quantity=50"],
    );
    let (code, diff) = json(work.path(), &["audit", "diff", field(&a, "run_id"), field(&b, "run_id")]);
    assert_eq!((code, diff["equal"].as_bool()), (1, Some(false)), "{diff}");
    assert!(field(&diff["config"][0], "setting").contains("quantity"), "{diff}");
    let at = &diff["first_divergence"];
    assert!(at["a"].is_object() && at["b"].is_object() && at["a"] != at["b"], "{diff}");
}

/// Altering one derived event and recomputing every hash leaves a chain that fits: only
/// re-derivation names it.
#[test]
fn a_rewritten_event_with_fresh_hashes_is_named_by_re_derivation() {
    let work = TempDir::new().unwrap();
    let (_, run) = json(work.path(), &["replay", "--session", DEMO, "--strategy", "buy-and-hold"]);
    let dir = work.path().join(field(&run, "run_dir"));
    let forged = work.path().join("forged");
    let mut altered = None;
    onetape_journal::rewrite(&dir.join("journal"), &forged.join("journal"), |block| {
        for n in 0..block.derived.len() {
            let seq = block.derived_seq(n, block.derived[n].after);
            if let (Event::Executed(execution), None) = (&mut block.derived[n].event, altered) {
                execution.price = Price(execution.price.0 + 10_000_000);
                altered = Some(seq);
            }
        }
    })
    .unwrap();
    let forged = forged.display().to_string();
    let (code, chain) = json(work.path(), &["audit", "verify", &forged]);
    assert_eq!((code, chain["ok"].as_bool()), (0, Some(true)), "{chain}");
    let (code, verdict) = json(work.path(), &["audit", "verify", &forged, "--rederive"]);
    assert_eq!((code, verdict["ok"].as_bool()), (1, Some(false)), "{verdict}");
    assert_eq!(verdict["derived_mismatches"].as_u64(), Some(1), "{verdict}");
    assert_eq!(verdict["first_bad_seq"].as_u64(), altered, "{verdict}");
    for head in ["", "96", &"g".repeat(64), &"0".repeat(65)] {
        let (code, message) = failing(work.path(), &["audit", "verify", &forged, "--expect", head]);
        assert!(code == 2 && message.contains("hexadecimal"), "{head}: {message}");
    }
    let (code, head) = json(work.path(), &["audit", "verify", &forged, "--expect", field(&run, "head_hash")]);
    assert_eq!(code, 1, "{head}");
}

#[test]
fn bad_input_gets_one_clear_message_and_its_exit_code() {
    let work = TempDir::new().unwrap();
    let path = work.path();
    let broken = path.join("broken");
    copy(Path::new(DEMO), &broken);
    let mut blocks = fs::read(broken.join("blocks.tape")).unwrap();
    blocks[..8].copy_from_slice(b"notatape");
    fs::write(broken.join("blocks.tape"), &blocks).unwrap();
    fs::write(path.join("bad.toml"), "[run]\ncahs = \"5\"\n").unwrap();
    fs::write(path.join("cut.dbn.zst"), [0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x00, 0x01]).unwrap();
    fs::write(path.join("not.dbn"), b"hello, this is no market data").unwrap();
    fs::write(path.join("script.toml"), "[[order]]\natt = \"2025-05-16 10:00:00\"\n").unwrap();
    fs::create_dir_all(path.join("empty")).unwrap();
    for (name, bid) in [("wild", "3"), ("fine", "1")] {
        let row = format!("ts,symbol,bid,bid_size,ask,ask_size\n2025-02-20T14:30:00Z,SPY,{bid},1,2,1\n");
        fs::write(path.join(format!("{name}.csv")), row).unwrap();
    }
    let fine = ["data", "import", "file", "--profile", "generic-quotes", "fine.csv", "--out", "fine"];
    assert_eq!(json(path, &fine).0, 0);
    for (args, code, says) in [
        (vec!["replay", "--session", "nowhere"], 3, "nowhere"),
        (vec!["replay", "--session", "empty"], 3, "empty"),
        (vec!["replay", "--session", "broken"], 3, "blocks.tape"),
        (vec!["replay", "--strategy", "buy-and-hodl"], 2, "did you mean 'buy-and-hold'?"),
        (vec!["replay", "--session", DEMO, "--set", "profit_taget=1"], 2, "profit_target"),
        (vec!["replay", "--set", "novalue"], 2, "KEY=VALUE"),
        (vec!["replay", "--latency", "5"], 2, "1ms,1ms"),
        (vec!["replay", "--config", "bad.toml"], 3, "bad.toml:2: unknown key 'cahs'; did you mean 'cash'?"),
        (vec!["replay", "--config", "none.toml"], 3, "none.toml"),
        (vec!["replay", "--script", "script.toml"], 2, "att"),
        (vec!["replay", "--fills", "perfect"], 2, "perfect"),
        (vec!["audit", "verify", "abcdef"], 3, "no run 'abcdef'"),
        (vec!["audit", "show", "abcdef", "--from", "yesterday"], 2, "yesterday"),
        (vec!["data", "info", "nowhere"], 3, "nowhere"),
        (vec!["data", "depth", DEMO], 3, "no depth"),
        (vec!["data", "generate", "--events", "0", "--out", "g"], 2, "events must be 1 or more"),
        (
            vec!["data", "info", concat!(env!("CARGO_MANIFEST_DIR"), "/../replay-data/one-2d/manifest.json")],
            3,
            "name the folder",
        ),
        (
            vec!["data", "import", "lean", "--root", "nowhere", "--symbol", "X", "--out", "g"],
            3,
            "no folder nowhere",
        ),
        (vec!["data", "depth", DEMO, "--at", "noon"], 2, "noon"),
        (vec!["data", "import", "dbn", "cut.dbn.zst", "--out", "s1"], 3, "cut.dbn.zst"),
        (vec!["data", "import", "dbn", "not.dbn", "--out", "s2"], 3, "not.dbn"),
        (
            vec!["data", "import", "lean", "--root", "not.dbn", "--symbol", "X", "--out", "s3"],
            3,
            "no folder not.dbn",
        ),
        (
            vec!["data", "import", "file", "--profile", "generic-quotes", "wild.csv", "--out", "s4"],
            3,
            "impossible",
        ),
        (vec!["data", "check", "fine", "--stylised"], 3, "no generated session"),
        (vec!["data", "export", "dbn", "not.dbn", "--out", "e"], 3, "does not begin with 'DBN'"),
        (vec!["data", "export", "dbn", "cut.dbn.zst", "--out", "e"], 3, "cut.dbn.zst"),
        (vec!["data", "export", "dbn", "nowhere", "--out", "e"], 3, "nowhere"),
        (vec!["data", "export", "dbn", DEMO, "--out", "empty"], 3, "empty exists"),
        (vec!["data", "import", "lean", "--root", "empty", "--symbol", "GOOG", "--out", "s3"], 3, "GOOG"),
        (
            vec![
                "data", "import", "lean", "--root", "empty", "--symbol", "GOOG", "--from", "x", "--out", "s3",
            ],
            2,
            "--from",
        ),
        (vec!["new", "Bad Name"], 2, "my-strategy"),
        (vec!["new", "mine", "--engine-path", "empty"], 3, "onetape repository"),
        (vec!["frobnicate"], 2, "frobnicate"),
    ] {
        let (found, message) = failing(path, &args);
        assert_eq!(found, code, "{args:?}: {message}");
        assert!(message.contains(says), "{args:?} says: {message}");
    }
    for left in ["s1", "s2", "s3", "mine"] {
        assert!(!path.join(left).exists(), "{left} was left behind");
    }
}

#[test]
fn a_journal_in_use_or_of_another_version_is_named() {
    let work = TempDir::new().unwrap();
    let held = work.path().join("held");
    let writer = JournalWriter::create(&held.join("journal"), [1; 32]).unwrap();
    let (code, message) = failing(work.path(), &["audit", "verify", "held"]);
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("in use"), "{message}");
    drop(writer);
    fs::remove_dir_all(held.join("journal/db")).unwrap();
    let (code, message) = failing(work.path(), &["audit", "verify", "held"]);
    assert_eq!(code, 3, "{message}");
}

fn copy(from: &Path, to: &PathBuf) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
