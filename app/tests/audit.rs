//! Questions to runs of the demo, as a user asks them.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use onetape_engine::num::Money;
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../replay-data/one-2d");

fn json(work: &Path, args: &[&str]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onetape"));
    command.current_dir(work).env_remove("ONETAPE_OUT");
    let output = command.args(args).args(["--json", "--quiet"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!error.contains("panicked"), "{args:?}: {error}");
    (output.status.code().unwrap(), serde_json::from_str(&text).unwrap_or(Value::String(error)))
}

fn demo(work: &Path) -> Value {
    let (code, run) = json(work, &["replay", "--session", DEMO]);
    assert_eq!(code, 0, "{run}");
    run
}

fn money(value: &Value) -> Money {
    value.as_str().unwrap_or_else(|| panic!("{value} is no money")).parse().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

/// Each order of the demo has its whole chain, and the orders' profits sum to the run's.
#[test]
fn every_order_of_the_demo_is_explained_and_profits_sum_exactly() {
    let work = TempDir::new().unwrap();
    let run = demo(work.path());
    let id = run["run_id"].as_str().unwrap();
    let orders = run["orders"].as_u64().unwrap();
    assert!(orders >= 10, "{orders}");
    let (mut profit, mut fees, mut fills) = (Money::ZERO, Money::ZERO, 0);
    for order in 0..orders {
        let (code, told) = json(work.path(), &["audit", "explain", id, &order.to_string()]);
        assert_eq!(code, 0, "{told}");
        let trigger = list(&told["trigger"]);
        assert!(trigger[0]["seq"].as_u64() < told["submit_seq"].as_u64(), "{told}");
        assert_eq!(trigger.last().unwrap()["lane"], "input", "the chain ends at an input: {told}");
        // The series and its underlying.
        let books = list(&told["books"]);
        assert_eq!(books.len(), 2, "{told}");
        let is_quoted = |book: &Value| book["bid"]["seq"].is_u64() && book["ask"]["seq"].is_u64();
        assert!(books.iter().all(is_quoted), "{told}");
        assert!(list(&told["strategy"]["params"]).len() > 5, "{told}");
        assert!(told["strategy"]["reads"]["books"].as_u64().unwrap() > 0, "{told}");
        let checks: Vec<&str> =
            list(&told["risk"]["checks"]).iter().map(|check| check["check"].as_str().unwrap()).collect();
        for check in ["market_closed", "halted", "order_quantity", "position", "buying_power"] {
            assert!(checks.contains(&check), "{check} in {checks:?}");
        }
        let funds = list(&told["risk"]["checks"]).last().unwrap().clone();
        assert_eq!((&funds["value"], &funds["limit"]), (&told["risk"]["value"], &told["risk"]["limit"]));
        assert_eq!(money(&funds["headroom"]), money(&funds["limit"]) - money(&funds["value"]));
        assert_eq!(list(&told["arrival"]["books"]).len(), 2, "{told}");
        assert!(told["arrival"]["revealed_by"][0]["seq"].as_u64() > told["arrival"]["seq"].as_u64());
        for fill in list(&told["fills"]) {
            assert_eq!(fill["justified_by"][0]["seq"], fill["execution"]["justification"], "{fill}");
            assert!(fill["fee_row"]["rule"].is_string() && fill["book"].is_object(), "{fill}");
            fees += money(&fill["fee"]);
            fills += 1;
        }
        profit += money(&told["total"]);
    }
    assert_eq!(profit, money(&run["profit"]));
    assert_eq!((fees, Some(fills)), (money(&run["fees"]), run["fills"].as_u64()));
    let (code, none) = json(work.path(), &["audit", "explain", id, "99"]);
    assert_eq!(code, 3, "{none}");
    let (code, word) = json(work.path(), &["audit", "explain", id, "first"]);
    assert_eq!(code, 2, "{word}");
}

/// The state at a mark is what the mark says, and at the end what the run reported.
#[test]
fn states_are_those_that_the_log_itself_marks() {
    let work = TempDir::new().unwrap();
    let run = demo(work.path());
    let id = run["run_id"].as_str().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_onetape"));
    let shown = command.current_dir(work.path()).args(["audit", "show", id, "--kind", "mark", "--json"]);
    let marks = String::from_utf8(shown.output().unwrap().stdout).unwrap();
    let marks: Vec<Value> = marks.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(marks.len() > 300);
    for mark in marks.iter().step_by(97) {
        let (code, state) = json(work.path(), &["audit", "state", id, "--at", &mark["seq"].to_string()]);
        assert_eq!(code, 0, "{state}");
        assert_eq!(state["seq"], mark["seq"]);
        let account = &state["accounts"][0];
        for figure in ["cash", "equity", "liquidation", "requirement"] {
            assert_eq!(account[figure], mark[figure], "{figure} at {}", mark["seq"]);
        }
    }
    let last = run["events"].as_u64().unwrap() - 1;
    let (_, end) = json(work.path(), &["audit", "state", id, "--at", &last.to_string(), "--books", "all"]);
    assert_eq!(end["accounts"][0]["cash"], run["cash"]);
    assert_eq!(end["accounts"][0]["equity"], run["equity"]);
    assert!(list(&end["books"]).len() > 50);
    let (_, later) = json(work.path(), &["audit", "state", id, "--at", "2030-01-01T00:00:00Z"]);
    assert_eq!(later["accounts"], end["accounts"]);
    let (code, beyond) = json(work.path(), &["audit", "state", id, "--at", "99999999"]);
    assert_eq!(code, 3, "{beyond}");
    let (code, before) = json(work.path(), &["audit", "state", id, "--at", "1999-01-01T00:00:00Z"]);
    assert_eq!(code, 3, "{before}");
}

/// A fork is its parent up to the place; what the change made is attributed order by order, exactly.
#[test]
fn a_fork_differs_after_its_place_only_and_the_difference_sums_by_order() {
    let work = TempDir::new().unwrap();
    let run = demo(work.path());
    let id = run["run_id"].as_str().unwrap();
    let (_, first) = json(work.path(), &["audit", "explain", id, "0"]);
    // The first order rests from here on.
    let seq = list(&first["states"]).iter().find(|state| state["to"] == "working").unwrap()["seq"].clone();
    let place = format!("{id}@{seq}");
    for change in [["--set", "profit_target=0.25"], ["--cancel", "0"], ["--fills", "mid"]] {
        let (code, fork) = json(work.path(), &[&["replay", "--fork", &place], &change[..]].concat());
        assert_eq!(code, 0, "{change:?}: {fork}");
        let fork_id = fork["run_id"].as_str().unwrap();
        assert_ne!(fork_id, id);
        let at = fork["fork"]["first_seq"].as_u64().unwrap();
        assert!(at > seq.as_u64().unwrap(), "{fork}");
        let (code, verdict) = json(work.path(), &["audit", "verify", fork_id, "--rederive"]);
        assert_eq!((code, verdict["derived_mismatches"].as_u64()), (0, Some(0)), "{verdict}");
        let (code, diff) = json(work.path(), &["audit", "diff", id, fork_id]);
        assert_eq!(code, 1, "{diff}");
        assert_eq!(diff["first_divergence"]["after_equal_entries"], at, "{diff}");
        assert_eq!(diff["first_divergence"]["b"]["kind"], "command", "{diff}");
        assert_eq!(diff["first_divergence"]["b"]["command"], change[0].trim_start_matches('-'), "{diff}");
        assert_eq!(list(&diff["config"]).len(), 0, "{diff}");
        let results = &diff["results"];
        let by_order =
            list(&results["orders"]).iter().fold(Money::ZERO, |sum, order| sum + money(&order["difference"]));
        assert_eq!(by_order, money(&fork["profit"]) - money(&run["profit"]), "{diff}");
        assert_eq!(by_order, money(&results["difference"]), "{diff}");
        let (_, again) = json(work.path(), &[&["replay", "--fork", &place], &change[..]].concat());
        assert_eq!(again["outcome"], "reproduced", "{again}");
    }
    let beyond = format!("{id}@99999999");
    let end = format!("{id}@{}", run["events"].as_u64().unwrap() - 1);
    for (args, code, says) in [
        (vec!["--fork", &beyond, "--cancel", "0"], 3, "the log ends"),
        (vec!["--fork", &end, "--fills", "mid"], 3, "has ended"),
        (vec!["--fork", &place, "--cancel", "7"], 3, "no order 7 yet"),
        (vec!["--fork", &place, "--set", "profit_taget=1"], 3, "profit_target"),
        (vec!["--fork", &place], 2, "--set"),
        (vec!["--fork", &place, "--fills", "mid", "--cash", "5"], 2, "--cash"),
        (vec!["--fork", id, "--fills", "mid"], 2, "RUN@SEQ"),
    ] {
        let (found, message) = json(work.path(), &[&["replay"], &args[..]].concat());
        assert_eq!(found, code, "{args:?}: {message}");
        assert!(message.as_str().unwrap_or_default().contains(says), "{args:?}: {message}");
    }
}

/// Every format holds the same rows; the fees of the exported fills are the run's.
#[test]
fn exports_hold_every_row_in_every_format() {
    let work = TempDir::new().unwrap();
    let run = demo(work.path());
    let id = run["run_id"].as_str().unwrap();
    let mut counts = Vec::new();
    for flags in [&["--parquet"][..], &["--csv"], &[]] {
        let out = format!("tables{}", flags.concat());
        let (code, tables) = json(work.path(), &[&["audit", "export", id, &out], flags].concat());
        assert_eq!(code, 0, "{tables}");
        let rows: Vec<(String, u64)> = list(&tables)
            .iter()
            .map(|table| (table["table"].as_str().unwrap().to_string(), table["rows"].as_u64().unwrap()))
            .collect();
        counts.push(rows);
        let (code, again) = json(work.path(), &[&["audit", "export", id, &out], flags].concat());
        assert_eq!(code, 3, "{again}");
    }
    let rows = |key: &str| run[key].as_u64().unwrap();
    let positions = std::fs::read_to_string(work.path().join("tables/positions.jsonl")).unwrap();
    let positions: Vec<Value> = positions.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sum = |key: &str| positions.iter().fold(Money::ZERO, |sum, row| sum + money(&row[key]));
    assert_eq!((sum("realized"), sum("fees")), (money(&run["realized_pnl"]), money(&run["fees"])));
    let expected = [
        ("inputs".to_string(), rows("inputs")),
        ("events".to_string(), rows("derived")),
        ("fills".to_string(), rows("fills")),
        ("orders".to_string(), rows("orders")),
        ("positions".to_string(), positions.len() as u64),
    ];
    assert!(counts.iter().all(|count| *count == expected), "{counts:?}");
    let fills = std::fs::read_to_string(work.path().join("tables/fills.jsonl")).unwrap();
    let fees = fills.lines().map(|line| money(&serde_json::from_str::<Value>(line).unwrap()["fee"]));
    assert_eq!(fees.fold(Money::ZERO, |sum, fee| sum + fee), money(&run["fees"]));
    for line in std::fs::read_to_string(work.path().join("tables/events.jsonl")).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert!(event["fields"].is_object(), "{line}");
    }
    let (code, none) = json(work.path(), &["audit", "export", "nowhere", "x"]);
    assert_eq!(code, 3, "{none}");
}

#[test]
fn a_sealed_file_restores_the_journal_and_a_changed_byte_is_named() {
    let work = TempDir::new().unwrap();
    let run = demo(work.path());
    let id = run["run_id"].as_str().unwrap();
    let (code, sealed) = json(work.path(), &["audit", "export", id, "--sealed", "run.tape"]);
    assert_eq!((code, &sealed["head"]), (0, &run["head_hash"]), "{sealed}");
    let (code, restored) = json(work.path(), &["audit", "import", "run.tape", "--out", "restored"]);
    assert_eq!((code, &restored["head"]), (0, &run["head_hash"]), "{restored}");
    let (code, verdict) = json(work.path(), &["audit", "verify", "--out", "restored", id, "--rederive"]);
    assert_eq!((code, &verdict["head"]), (0, &run["head_hash"]), "{verdict}");
    let toml = |out: &str| std::fs::read(work.path().join(out).join(id).join("session.toml")).unwrap();
    assert_eq!(toml("runs"), toml("restored"));
    let (code, twice) = json(work.path(), &["audit", "import", "run.tape", "--out", "restored"]);
    assert_eq!(code, 3, "{twice}");
    let bytes = std::fs::read(work.path().join("run.tape")).unwrap();
    for at in [0, 9, 300, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 4;
        std::fs::write(work.path().join("bad.tape"), &changed).unwrap();
        let (code, message) = json(work.path(), &["audit", "import", "bad.tape", "--out", "bad"]);
        assert_eq!(code, 3, "byte {at}: {message}");
        assert!(message.as_str().unwrap().contains("bad.tape"), "byte {at}: {message}");
    }
    std::fs::write(work.path().join("bad.tape"), &bytes[..bytes.len() / 2]).unwrap();
    let (code, cut) = json(work.path(), &["audit", "import", "bad.tape", "--out", "bad"]);
    assert_eq!(code, 3, "{cut}");
    assert!(!work.path().join("bad").join(id).exists());
}

/// Keys made for this test with `openssl genpkey -algorithm ed25519`.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHENgImFKF9r4Har2WXVCk/gz8ZnPFCARP5GKWsKu6NA\n-----END PRIVATE KEY-----\n";
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAW8IyBxf/C2QpGYJky2rnvTNLm2tfcQ/8EIzXQONwgJk=\n-----END PUBLIC KEY-----\n";
const OTHER_PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA/YwuhdIrBzuwSD905pMLoJuETb8cY3gWq0zw9dXR3zw=\n-----END PUBLIC KEY-----\n";

#[test]
fn a_signed_head_verifies_under_its_key_only_and_for_its_journal_only() {
    let work = TempDir::new().unwrap();
    let run = demo(work.path());
    let id = run["run_id"].as_str().unwrap();
    for (name, text) in
        [("key.pem", PRIVATE_KEY), ("public.pem", PUBLIC_KEY), ("other.pem", OTHER_PUBLIC_KEY)]
    {
        std::fs::write(work.path().join(name), text).unwrap();
    }
    let verify = |run: &str, more: &[&str]| json(work.path(), &[&["audit", "verify", run], more].concat());
    let (code, missing) = verify(id, &["--public-key", "public.pem"]);
    assert_eq!(code, 3, "{missing}");
    let (code, signed) = json(work.path(), &["audit", "sign", id, "--key", "key.pem"]);
    assert_eq!((code, &signed["head"]), (0, &run["head_hash"]), "{signed}");
    let (code, verdict) = verify(id, &["--public-key", "public.pem"]);
    assert_eq!((code, verdict["signed"].as_bool()), (0, Some(true)), "{verdict}");
    let (code, verdict) = verify(id, &["--public-key", "other.pem"]);
    assert_eq!((code, verdict["ok"].as_bool()), (1, Some(false)), "{verdict}");
    let (_, other) = json(work.path(), &["replay", "--session", DEMO, "--strategy", "buy-and-hold"]);
    let other = other["run_id"].as_str().unwrap();
    let signature = format!("runs/{id}/head.sig");
    let (code, verdict) = verify(other, &["--public-key", "public.pem", "--signature", &signature]);
    assert_eq!((code, verdict["ok"].as_bool()), (1, Some(false)), "{verdict}");
    let place = work.path().join(&signature);
    let text =
        std::fs::read_to_string(&place).unwrap().replace(run["head_hash"].as_str().unwrap(), &"0".repeat(64));
    std::fs::write(&place, text).unwrap();
    let (code, verdict) = verify(id, &["--public-key", "public.pem"]);
    assert_eq!((code, verdict["ok"].as_bool()), (1, Some(false)), "{verdict}");
    let (code, wrong) = json(work.path(), &["audit", "sign", id, "--key", "public.pem"]);
    assert_eq!(code, 3, "{wrong}");
}
