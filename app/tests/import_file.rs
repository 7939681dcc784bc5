//! `onetape data import file` and `data import profiles` as a user meets them.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn run(work: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_onetape")).current_dir(work).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const CHAIN: &str = "ts,symbol,bid,bid_size,ask,ask_size,underlying_bid,underlying_ask\n";

/// A chain from a profile of one's own becomes a session that replays and re-derives.
#[test]
fn a_chain_in_ones_own_layout_replays() {
    let work = TempDir::new().unwrap();
    let path = work.path();
    let (code, toml, _) = run(path, &["data", "import", "profiles", "--show", "generic-chain"]);
    assert_eq!(code, 0);
    fs::write(path.join("mine.toml"), toml.replace("known = \"ts\"", "known = \"when\"")).unwrap();
    let mut csv = CHAIN.replace("ts,", "when,");
    for minute in 31..59 {
        for (right, bid) in [("C", 1.3), ("P", 1.1)] {
            csv.push_str(&format!(
                "2025-02-20T14:{minute}:00Z,SPY250221{right}00600000,{bid},50,{:.2},60,600.1,600.12\n",
                bid + 0.02
            ));
        }
    }
    fs::write(path.join("chain.csv"), csv).unwrap();
    let import = ["data", "import", "file", "--profile", "mine.toml", "chain.csv", "--out", "spy", "--json"];
    let (code, out, error) = run(path, &import);
    assert_eq!(code, 0, "{error}");
    let manifest: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(manifest["source_records"]["chain"], 56);
    assert_eq!(manifest["instruments"], 3);
    assert!(error.contains("M rows/s"), "{error}");
    let again: Value = serde_json::from_str(&run(path, &import).1).unwrap();
    assert_eq!(again["content_hash"], manifest["content_hash"]);

    let replay = ["replay", "--session", "spy", "--strategy", "buy-and-hold", "--json", "--quiet"];
    let (code, out, error) = run(path, &replay);
    assert_eq!(code, 0, "{error}");
    let summary: Value = serde_json::from_str(&out).unwrap();
    let id = summary["run_id"].as_str().unwrap();
    let (code, out, error) = run(path, &["audit", "verify", id, "--rederive", "--json", "--quiet"]);
    assert_eq!(code, 0, "{out}{error}");
}

#[test]
fn profiles_are_listed_and_wrong_commands_say_what_to_do() {
    let work = TempDir::new().unwrap();
    let path = work.path();
    let (code, out, _) = run(path, &["data", "import", "profiles"]);
    assert_eq!(code, 0);
    assert!(out.lines().any(|line| line.starts_with("cboe-option-eod ")), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
    let (_, out, _) = run(path, &["data", "import", "profiles", "--json"]);
    let listed: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert!(listed.len() > 20 && listed.iter().all(|profile| profile["record"].is_string()));

    fs::write(path.join("bad.toml"), "about = \"x\"\nrecrod = \"quote\"\n").unwrap();
    fs::write(path.join("bad.csv"), format!("{CHAIN}2025-02-20T14:31:00Z,SPY250221C00600000,x,1,1,1,,\n"))
        .unwrap();
    let import = |profile, file| vec!["data", "import", "file", "--profile", profile, file, "--out", "s"];
    for (args, code, says) in [
        (import("generic-chian", "bad.csv"), 2, "did you mean 'generic-chain'?"),
        (import("bad.toml", "bad.csv"), 3, "bad.toml:2: unknown key 'recrod'; did you mean 'record'?"),
        (import("none.toml", "bad.csv"), 3, "none.toml"),
        (import("generic-chain", "none.csv"), 3, "none.csv"),
        (import("generic-chain", "bad.csv"), 3, "bad.csv, line 2: column 'bid': 'x' is not a price"),
        (import("generic-quotes", "bad.toml"), 3, "bad.toml, line 1: no column 'ts'"),
        ([import("generic-chain", "bad.csv"), vec!["--delay", "soon"]].concat(), 2, "5ms"),
        (vec!["data", "import", "file", "--profile", "generic-chain", "--out", "s"], 2, "FILE"),
        (vec!["data", "import", "profiles", "--show", "orats"], 2, "no profile 'orats'"),
    ] {
        let (found, _, error) = run(path, &args);
        assert_eq!(found, code, "{args:?}: {error}");
        assert!(error.contains(says), "{args:?} says: {error}");
    }
    assert!(!path.join("s").exists() && !path.join("s.partial").exists(), "nothing is left behind");
}
