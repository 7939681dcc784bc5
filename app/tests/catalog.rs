//! Quality checks and the catalog on the command line.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../replay-data/one-2d");

fn onetape(work: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onetape"));
    let output = command.current_dir(work).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn json(work: &Path, args: &[&str]) -> (i32, Value) {
    let (code, out, error) = onetape(work, &[args, &["--json"]].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{args:?}: {error}")))
}

#[test]
fn a_check_passes_within_its_limits_and_fails_beyond_them() {
    let work = TempDir::new().unwrap();
    let (code, checked) = json(work.path(), &["data", "check", DEMO]);
    assert_eq!((code, checked["ok"].as_bool()), (0, Some(true)), "{checked}");
    let findings = checked["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 13);
    let locked = findings.iter().find(|finding| finding["name"] == "locked").unwrap();
    assert!(locked["found"].as_u64().unwrap() > 0 && !locked["samples"].as_array().unwrap().is_empty());
    let (code, checked) = json(work.path(), &["data", "check", DEMO, "--limit", "locked=0"]);
    assert_eq!((code, checked["ok"].as_bool()), (1, Some(false)));
    let (code, _, error) = onetape(work.path(), &["data", "check", DEMO, "--limit", "lockd=0"]);
    assert_eq!(code, 2);
    assert!(error.contains("did you mean 'locked'"), "{error}");
    let (code, out, _) = onetape(work.path(), &["data", "check", DEMO, "--limit", "locked=0"]);
    assert_eq!(code, 1);
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
    assert!(out.contains("OUT  locked") && out.contains("worst instruments"), "{out}");
}

#[test]
fn sessions_are_listed_found_verified_and_replayed_by_name() {
    let work = TempDir::new().unwrap();
    let (code, _, error) = onetape(work.path(), &["data", "list"]);
    assert_eq!(code, 3);
    assert!(error.contains("no catalog at sessions"), "{error}");
    let generate = ["data", "generate", "--days", "1", "--events", "20000", "--out", "sessions/one"];
    assert_eq!(onetape(work.path(), &generate).0, 0);
    let (code, found) =
        json(work.path(), &["data", "find", "--symbol", "one", "--kind", "option", "--verify"]);
    assert_eq!((code, found.as_array().unwrap().len()), (0, 1));
    assert_eq!((found[0]["path"].as_str(), found[0]["intact"].as_bool()), (Some("sessions/one"), Some(true)));
    assert!(found[0]["manifest"]["roots"].as_array().unwrap().len() >= 2, "{found}");
    let (code, none) = json(work.path(), &["data", "find", "--to", "1999-12-31"]);
    assert_eq!((code, none.as_array().unwrap().len()), (0, 0));
    let (_, _, error) = onetape(work.path(), &["data", "find", "--symbol", "ONEE"]);
    assert!(error.contains("did you mean 'ONE'"), "{error}");
    let (code, _, error) = onetape(work.path(), &["data", "find", "--records", "quotes"]);
    assert_eq!(code, 2);
    assert!(error.contains("did you mean 'quote'"), "{error}");

    let replay = ["replay", "--session", "one", "--strategy", "buy-and-hold", "--out", "runs"];
    let (code, run) = json(work.path(), &replay);
    assert_eq!(code, 0, "{run}");

    let blocks = work.path().join("sessions/one/blocks.tape");
    let mut bytes = std::fs::read(&blocks).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&blocks, bytes).unwrap();
    let (code, out, _) = onetape(work.path(), &["data", "list", "--verify"]);
    assert_eq!(code, 1);
    assert!(out.contains("DAMAGED"), "{out}");
}
