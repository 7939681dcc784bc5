//! `onetape paper`: runs, resumptions and their parity, as processes.

use super::{DEMO, failing, field, json, onetape};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An order every hundred quotes: every block around one must be durable before it leaves.
const DENSE: [&str; 4] = ["--strategy", "dense", "--set", "every=100"];

fn assert_parity(work: &Path, run: &str) {
    let (code, parity) = json(work, &["audit", "parity", run]);
    assert_eq!((code, parity["identical"].as_bool()), (0, Some(true)), "{parity}");
    let (code, verified) = json(work, &["audit", "verify", run, "--rederive"]);
    assert_eq!((code, verified["derived_mismatches"].as_u64()), (0, Some(0)), "{verified}");
}

/// Seqs that were let out of the gate, in order.
fn released(run: &Path) -> Vec<u64> {
    let text = fs::read_to_string(run.join("released.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["seq"].as_u64()).collect()
}

#[test]
fn a_run_at_full_speed_is_the_same_at_every_durability_and_its_recording_replays() {
    let work = TempDir::new().unwrap();
    let session = format!("session:{DEMO}");
    let paper = |level: &str| {
        let args = ["paper", "--source", &session, "--speed", "max", "--record", "--durability", level];
        let (code, run) = json(work.path(), &[&args[..], &DENSE].concat());
        assert_eq!(code, 0, "{run}");
        run
    };
    let runs = ["buffered", "interval", "order"].map(paper);
    let orders = runs[0]["orders"].as_u64().unwrap();
    assert!(orders > 20, "{orders} orders");
    for run in &runs {
        assert_eq!(field(run, "derived_hash"), field(&runs[0], "derived_hash"));
        assert_eq!(field(run, "ended_by"), "source");
        assert_parity(work.path(), field(run, "run_id"));
        assert!(released(Path::new(&work.path().join(field(run, "run_dir")))).len() as u64 >= orders);
    }
    let replay = ["replay", "--session", field(&runs[0], "recorded")];
    let (code, replayed) = json(work.path(), &[&replay[..], &DENSE].concat());
    assert_eq!(code, 0, "{replayed}");
    for key in ["derived_hash", "state_hash", "inputs"] {
        assert_eq!(replayed[key], runs[0][key], "{key}");
    }
}

/// A run that keeps the clock's pace for a while.
fn spawn(work: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onetape"));
    command.current_dir(work).env_remove("ONETAPE_OUT").args(args).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().unwrap()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_killed_run_is_resumed_and_nothing_released_is_lost_or_doubled() {
    let work = TempDir::new().unwrap();
    let session = format!("session:{DEMO}");
    let begin = ["paper", "--source", &session, "--speed", "2000", "--durability", "order"];
    let mut child = spawn(work.path(), &[&begin[..], &DENSE].concat());
    let mut run = PathBuf::new();
    until("a run folder", || {
        run = fs::read_dir(work.path().join("runs"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .next()
            .unwrap_or_default();
        run.join("released.jsonl").exists()
    });
    let shown = run.display().to_string();
    let mut told = 0;
    for _ in 0..3 {
        until("a release", || released(&run).len() > told);
        child.kill().unwrap();
        child.wait().unwrap();
        told = released(&run).len();
        child = spawn(work.path(), &["paper", "--resume", &shown]);
    }
    until("a release", || released(&run).len() > told);
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, ended) = json(work.path(), &["paper", "--resume", &shown, "--speed", "max"]);
    assert_eq!((code, ended["lost_releases"].as_u64()), (0, Some(0)), "{ended}");
    assert_parity(work.path(), &shown);
    let all = released(&run);
    let distinct: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!(distinct.len(), all.len(), "nothing is released twice");
    let shown_orders =
        onetape(work.path()).args(["audit", "show", &shown, "--kind", "state", "--json"]).output().unwrap();
    let text = String::from_utf8(shown_orders.stdout).unwrap();
    let sent = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let sent = sent.filter(|state| ["approved", "pending_cancel"].contains(&field(state, "to")));
    let sent: BTreeSet<u64> = sent.map(|state| state["seq"].as_u64().unwrap()).collect();
    assert_eq!(sent, distinct, "what the journal sends is what was released");
    let resumed =
        onetape(work.path()).args(["audit", "show", &shown, "--kind", "resumed", "--json"]).output().unwrap();
    // One that died right after it let the waiting orders go left no trace.
    let resumed = String::from_utf8(resumed.stdout).unwrap().lines().count();
    assert!((1..=4).contains(&resumed), "{resumed}");
    let (code, message) = failing(work.path(), &["paper", "--resume", &shown]);
    assert!(code == 3 && message.contains("nothing to resume"), "{code} {message}");
}

/// A repair cuts the journal of a killed run back to its intact blocks; the run goes on from there in the same chain.
#[test]
fn a_repaired_run_is_resumed_from_its_intact_blocks() {
    let work = TempDir::new().unwrap();
    let session = format!("session:{DEMO}");
    let begin = ["paper", "--source", &session, "--speed", "4000", "--durability", "order"];
    let mut child = spawn(work.path(), &[&begin[..], &DENSE].concat());
    let mut run = PathBuf::new();
    until("some releases", || {
        let runs = fs::read_dir(work.path().join("runs"));
        run = runs.into_iter().flatten().flatten().map(|entry| entry.path()).next().unwrap_or_default();
        released(&run).len() > 20
    });
    child.kill().unwrap();
    child.wait().unwrap();
    // A page of the database rots.
    let database = run.join("journal/db/db");
    let mut bytes = fs::read(&database).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let page = used * 2 / 3 / 4_096 * 4_096;
    bytes[page..page + 4_096].fill(0);
    fs::write(&database, bytes).unwrap();
    let shown = run.display().to_string();
    let (code, repaired) = json(work.path(), &["audit", "repair", &shown]);
    assert!(code <= 1 && repaired["changed"] == true && repaired["events"].as_u64() > Some(0), "{repaired}");
    let (code, verified) = json(work.path(), &["audit", "verify", &shown, "--rederive"]);
    assert_eq!(code, 0, "{verified}");
    let (code, ended) = json(work.path(), &["paper", "--resume", &shown, "--speed", "max"]);
    assert_eq!(code, 0, "{ended}");
    let (code, verified) = json(work.path(), &["audit", "verify", &shown, "--rederive"]);
    assert_eq!((code, verified["ok"].as_bool()), (0, Some(true)), "{verified}");
    assert_parity(work.path(), &shown);
    let resumed =
        onetape(work.path()).args(["audit", "show", &shown, "--kind", "resumed", "--json"]).output().unwrap();
    let resumed = String::from_utf8(resumed.stdout).unwrap();
    let first: Value = serde_json::from_str(resumed.lines().next().unwrap()).unwrap();
    assert!(first["seq"].as_u64() >= repaired["events"].as_u64(), "{first} {repaired}");
    let (code, message) = failing(work.path(), &["paper", "--resume", &shown]);
    assert!(code == 3 && message.contains("nothing to resume"), "{code} {message}");
}

#[test]
fn a_paced_run_ends_by_itself_after_its_time() {
    let work = TempDir::new().unwrap();
    let (code, run) = json(work.path(), &["paper", "--speed", "20000", "--for", "1.5", "--record"]);
    assert_eq!((code, run["ended_by"].as_str()), (0, Some("stopped")), "{run}");
    assert!(run["added"]["seals"].as_u64().unwrap() > 10, "{run}");
    assert_parity(work.path(), field(&run, "run_id"));
    let (_, replayed) = json(work.path(), &["replay", "--session", field(&run, "recorded")]);
    assert_eq!(field(&replayed, "derived_hash"), field(&run, "derived_hash"));
}

#[test]
fn wrong_live_commands_get_one_clear_message() {
    let work = TempDir::new().unwrap();
    let (_, replayed) = json(work.path(), &["replay", "--session", DEMO, "--strategy", "count"]);
    for (args, code, says) in [
        (vec!["paper", "--source", "feed"], 2, "session:PATH"),
        (vec!["paper", "--source", "session:nowhere"], 3, "nowhere"),
        (vec!["paper", "--speed", "0"], 2, "--speed"),
        (vec!["paper", "--for", "-1"], 2, "--for"),
        (vec!["paper", "--durability", "perfect"], 2, "perfect"),
        (vec!["paper", "--strategy", "dmeo"], 2, "did you mean 'demo'?"),
        (vec!["paper", "--resume", "abcdef"], 3, "no run 'abcdef'"),
        (vec!["paper", "--resume", field(&replayed, "run_id")], 3, "onetape paper"),
        (vec!["audit", "parity", "abcdef"], 3, "no run 'abcdef'"),
    ] {
        let (found, message) = failing(work.path(), &args);
        assert_eq!(found, code, "{args:?}: {message}");
        assert!(message.contains(says), "{args:?} says: {message}");
    }
}

#[test]
fn a_dbn_stream_on_standard_input_is_a_source() {
    let work = TempDir::new().unwrap();
    let mut demo = onetape_tape::session::SessionReader::open(Path::new(DEMO)).unwrap();
    onetape_tape::import::dbn::write_dbn(&mut demo, &work.path().join("dbn"), None).unwrap();
    let file = work.path().join("dbn/mbp-1.dbn.zst");
    let paper = |input: Stdio, extra: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onetape"));
        command.current_dir(work.path()).env_remove("ONETAPE_OUT").stdin(input);
        let output = command.args(["paper", "--json", "--quiet"]).args(extra).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let json = serde_json::from_slice::<Value>(&output.stdout).unwrap_or(Value::String(error));
        (output.status.code().unwrap(), json)
    };
    let stream = [&["--source", "stdin", "--record"][..], &DENSE].concat();
    let (code, run) = paper(fs::File::open(&file).unwrap().into(), &stream);
    assert_eq!((code, run["ended_by"].as_str()), (0, Some("source")), "{run}");
    assert!(run["orders"].as_u64().unwrap() > 20 && run["inputs"].as_u64().unwrap() > 100_000, "{run}");
    assert_parity(work.path(), field(&run, "run_id"));
    let (code, broken) = paper(Stdio::null(), &["--source", "stdin"]);
    assert!(code == 3 && broken.as_str().unwrap().contains("DBN"), "{code} {broken}");
}

#[test]
fn a_live_run_is_read_through_its_owner_and_a_tail_ends_with_it() {
    let work = TempDir::new().unwrap();
    let args = ["paper", "--speed", "2000"];
    let mut run = spawn(work.path(), &[&args[..], &DENSE].concat());
    let runs = work.path().join("runs");
    let folder = || fs::read_dir(&runs).into_iter().flatten().flatten().map(|entry| entry.path()).next();
    until("an order", || folder().is_some_and(|run| !released(&run).is_empty()));
    let shown = folder().unwrap().display().to_string();
    let (code, live) = json(work.path(), &["audit", "verify", &shown]);
    assert_eq!((code, live["ok"].as_bool()), (0, Some(true)), "{live}");
    assert!(field(&live, "message").contains("not closed"), "{live}");
    let out = fs::File::create(work.path().join("tail.jsonl")).unwrap();
    let mut tail = Command::new(env!("CARGO_BIN_EXE_onetape"));
    tail.current_dir(work.path()).args(["audit", "tail", &shown, "--kind", "fill", "--json", "--last", "1"]);
    let mut tail = tail.stdout(out).stderr(Stdio::null()).spawn().unwrap();
    let tailed = || fs::read_to_string(work.path().join("tail.jsonl")).unwrap().lines().count();
    until("fills on the tail", || tailed() >= 3);
    Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap();
    assert!(run.wait().unwrap().success(), "a signal ends the run gracefully");
    assert!(tail.wait().unwrap().success(), "the tail ends with the run");
    assert_parity(work.path(), &shown);
    let past =
        onetape(work.path()).args(["audit", "tail", &shown, "--last", "2", "--json"]).output().unwrap();
    assert_eq!(String::from_utf8(past.stdout).unwrap().lines().count(), 2, "without an owner from the file");
}
