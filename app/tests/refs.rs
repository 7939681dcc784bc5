//! Runs that refer to their session's inputs: everything a full journal answers, or a named error.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../replay-data/one-2d");

fn onetape(work: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onetape"));
    command.current_dir(work).env_remove("ONETAPE_OUT").env_remove("ONETAPE_SESSION");
    let output = command.args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn json(work: &Path, args: &[&str]) -> Value {
    let (code, text, error) = onetape(work, &[args, &["--json", "--quiet"]].concat());
    assert_eq!(code, 0, "{args:?}: {text}{error}");
    serde_json::from_str(&text).unwrap()
}

/// A scenario's session of a few seconds to make, and its runs in both modes.
struct Made {
    work: TempDir,
    full: String,
    refs: String,
}

fn made() -> Made {
    let work = TempDir::new().unwrap();
    let at = work.path();
    fs::create_dir(at.join("sessions")).unwrap();
    for file in ["manifest.json", "blocks.tape", "history.csv"] {
        let to = at.join("sessions/one");
        fs::create_dir_all(&to).unwrap();
        fs::copy(Path::new(DEMO).join(file), to.join(file)).unwrap();
    }
    let run = |mode| json(at, &["replay", "--session", "sessions/one", "--journal", mode]);
    let (full, refs) = (run("full"), run("refs"));
    for key in ["derived_hash", "state_hash", "events", "equity", "session_hash"] {
        assert_eq!(full[key], refs[key], "{key}");
    }
    assert_ne!(full["run_id"], refs["run_id"]);
    assert_ne!(full["head_hash"], refs["head_hash"]);
    assert!(refs["journal_bytes"].as_u64().unwrap() * 5 < full["journal_bytes"].as_u64().unwrap());
    let id = |run: &Value| run["run_id"].as_str().unwrap().to_string();
    let (full, refs) = (id(&full), id(&refs));
    Made { work, full, refs }
}

#[test]
fn a_run_that_refers_answers_what_a_full_one_answers() {
    let Made { work, full, refs } = made();
    let at = work.path();
    let verified = json(at, &["audit", "verify", &refs, "--rederive"]);
    assert_eq!(
        (&verified["inputs_checked"], &verified["rederived"]),
        (&Value::Bool(true), &Value::Bool(true))
    );
    assert_eq!(json(at, &["audit", "parity", &refs])["identical"], true);
    assert_eq!(json(at, &["audit", "diff", &full, &refs])["equal"], true);
    let both: [&[&str]; 4] = [
        &["audit", "explain", "RUN", "13"],
        &["audit", "state", "RUN", "--at", "406982", "--json"],
        &["audit", "show", "RUN", "--from", "400000", "--to", "400050"],
        &["audit", "tail", "RUN", "--last", "30"],
    ];
    for args in both {
        let of = |id: &str| {
            let args: Vec<&str> = args.iter().map(|arg| if *arg == "RUN" { id } else { *arg }).collect();
            let (code, text, error) = onetape(at, &args);
            assert_eq!(code, 0, "{args:?}: {error}");
            text.replace(id, "RUN")
        };
        assert!(of(&full) == of(&refs), "{args:?}");
    }
    for id in [&full, &refs] {
        json(at, &["audit", "export", id, &format!("t{id}")]);
    }
    for table in ["inputs", "events", "fills", "orders"] {
        let read = |id: &str| fs::read(at.join(format!("t{id}/{table}.jsonl"))).unwrap();
        assert!(read(&full) == read(&refs), "{table}");
    }
    let fork =
        |id: &str| json(at, &["replay", "--fork", &format!("{id}@300000"), "--set", "profit_target=0.25"]);
    let (a, b) = (fork(&full), fork(&refs));
    assert_eq!((&a["derived_hash"], &a["journal_mode"]), (&b["derived_hash"], &Value::from("full")));
    json(at, &["audit", "export", &refs, "s.tape", "--sealed"]);
    json(at, &["audit", "import", "s.tape", "--out", "other"]);
    let restored = json(at, &["audit", "verify", &refs, "--out", "other", "--rederive"]);
    assert_eq!(restored["head"], verified["head"]);
}

#[test]
fn without_its_session_a_run_says_what_it_cannot_check() {
    let Made { work, full, .. } = made();
    let at = work.path();
    // The demo is also built in, so the session that is taken away must be another one.
    let other = ["--days", "1", "--seed", "3", "--events", "60000", "--out", "sessions/other"];
    json(at, &[&["data", "generate"], &other[..]].concat());
    let run = json(
        at,
        &["replay", "--session", "sessions/other", "--strategy", "buy-and-hold", "--journal", "refs"],
    );
    let id = run["run_id"].as_str().unwrap();
    json(at, &["audit", "verify", id, "--rederive"]);
    fs::create_dir(at.join("away")).unwrap();
    fs::rename(at.join("sessions/other"), at.join("away/hidden")).unwrap();
    let alone = json(at, &["audit", "verify", id]);
    assert_eq!((&alone["ok"], &alone["inputs_checked"]), (&Value::Bool(true), &Value::Bool(false)));
    assert!(alone["message"].as_str().unwrap().contains("inputs are not checked"), "{alone}");
    assert_eq!(alone["derived_hash"], run["derived_hash"]);
    for args in [
        &["verify", id, "--rederive"][..],
        &["explain", id, "0"],
        &["show", id],
        &["export", id, "t", "--csv"],
    ] {
        let (code, _, error) = onetape(at, &[&["audit"], args].concat());
        assert_eq!(code, 3, "{args:?}: {error}");
        assert!(
            error.contains("was not found beside it") && error.contains("--session"),
            "{args:?}: {error}"
        );
    }
    assert!(!at.join("t").exists());
    json(at, &["audit", "verify", id, "--rederive", "--session", "away/hidden"]);
    // Another session, a changed one, a useless one.
    let (code, _, error) = onetape(at, &["audit", "verify", id, "--session", "sessions/one"]);
    assert!(code == 3 && error.contains("content hash is"), "{code} {error}");
    let blocks = at.join("away/hidden/blocks.tape");
    let mut bytes = fs::read(&blocks).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blocks, bytes).unwrap();
    let (code, _, error) = onetape(at, &["audit", "verify", id, "--session", "away/hidden"]);
    assert!(code == 3 && error.contains("damaged"), "{code} {error}");
    let (code, _, error) = onetape(at, &["audit", "verify", &full, "--session", "away/hidden"]);
    assert!(code == 2 && error.contains("holds its inputs itself"), "{code} {error}");
}
