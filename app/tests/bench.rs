//! `onetape bench` and `onetape doctor`, as a person and a script meet them.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn onetape(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onetape"));
    let output = command.current_dir(dir).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn json(dir: &Path, args: &[&str]) -> Value {
    let (code, out, err) = onetape(dir, args);
    assert_eq!(code, 0, "{args:?}: {err}");
    serde_json::from_str(&out).unwrap()
}

fn names(report: &Value) -> Vec<&str> {
    report["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

const SMALL: [&str; 8] =
    ["bench", "throughput", "--events", "20000", "--orders", "2000", "--json", "--quiet"];

#[test]
fn throughput_has_a_row_for_each_budget_and_samples_for_comparison() {
    let dir = tempfile::tempdir().unwrap();
    let report = json(dir.path(), &[&SMALL[..], &["--repeat", "3"]].concat());
    let names = names(&report);
    for name in ["loop", "loop.1000", "loop.5000", "order.1000", "w1.journal", "w1.writer", "w1.bytes"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    for name in ["w1.verify", "w1.rederive", "paced.on", "scan", "t1.journal", "t1.rederive", "t1.mm1"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    for row in report["rows"].as_array().unwrap() {
        assert_eq!(row["samples"].as_array().unwrap().len(), 3, "{row}");
        assert!(row["figure"].as_f64().is_some_and(f64::is_finite), "{row}");
    }
    assert!(report["machine"]["processor"].as_str().is_some_and(|name| !name.is_empty()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_regression_exits_1_and_equal_reports_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let row = |samples: [f64; 3]| {
        serde_json::json!({ "name": "loop.ns", "what": "per event", "figure": samples[1], "unit": "ns",
            "better": "lower", "bar": 40.0, "samples": samples })
    };
    let machine = serde_json::json!({ "processor": "test", "cores": 2, "simd": "avx2", "memory_gib": 4.0,
        "system": "linux", "load": 0.0 });
    for (name, samples) in [("a.json", [20.0, 20.2, 20.4]), ("b.json", [30.0, 30.2, 30.4])] {
        let report = serde_json::json!({ "kind": "throughput", "version": "1", "machine": machine,
            "tape": "none", "rows": [row(samples)] });
        fs::write(dir.path().join(name), report.to_string()).unwrap();
    }
    let (code, out, err) = onetape(dir.path(), &["bench", "compare", "a.json", "b.json"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("WORSE") && out.contains("1.495"), "{out}");
    assert_eq!(onetape(dir.path(), &["bench", "compare", "a.json", "a.json"]).0, 0);
    assert_eq!(onetape(dir.path(), &["bench", "compare", "b.json", "a.json"]).0, 0, "faster is no failure");
    let tolerant = ["bench", "compare", "a.json", "b.json", "--tolerance", "0.6"];
    assert_eq!(onetape(dir.path(), &tolerant).0, 0);

    fs::write(dir.path().join("c.json"), "{}").unwrap();
    let (code, _, err) = onetape(dir.path(), &["bench", "compare", "a.json", "c.json"]);
    assert!(code == 3 && err.contains("c.json") && err.contains("bench throughput --json"), "{code} {err}");
    assert_eq!(onetape(dir.path(), &["bench", "compare", "a.json", "no.json"]).0, 3);
    assert_eq!(onetape(dir.path(), &["bench", "compare", "a.json", "b.json", "--tolerance", "x"]).0, 2);
}

#[test]
fn latency_writes_its_histograms_and_its_picture() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["bench", "latency", "--events", "2000", "--warmup", "100", "--rate", "20000"];
    let report =
        json(dir.path(), &[&args[..], &["--hlog", "l.hlog", "--svg", "l.svg", "--json", "--quiet"]].concat());
    let stages: Vec<&str> =
        report["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(
        stages,
        [
            "sync", "busy", "hiccup", "bare", "late", "queue", "loop", "journal", "gate", "bytes", "decide",
            "came", "event", "order", "echo", "wire", "durable", "disk"
        ]
    );
    for name in ["order.p99", "order.p99.bare", "wire.p50.echo", "wire.p99.echo", "durable.p50"] {
        assert!(names(&report).contains(&name), "{name}");
    }
    let log = fs::read_to_string(dir.path().join("l.hlog")).unwrap();
    assert_eq!(log.lines().filter(|line| line.starts_with("Tag=")).count(), stages.len());
    assert!(fs::read_to_string(dir.path().join("l.svg")).unwrap().starts_with("<svg"));
    let (code, _, err) = onetape(dir.path(), &[&args[..], &["--svg", "no/such/l.svg", "--quiet"]].concat());
    assert!(code != 0 && err.contains("no/such/l.svg"), "{err}");
}

#[test]
fn memory_is_watched_along_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let report = json(dir.path(), &["bench", "memory", "--events", "200000", "--json", "--quiet"]);
    assert_eq!(report["along"].as_array().unwrap().len(), 20);
    assert!(names(&report).contains(&"memory.peak"));
}

#[test]
fn the_doctor_finds_a_sound_machine_sound_and_a_wrong_setting_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let report = json(dir.path(), &["doctor", "--json", "--quiet"]);
    assert_eq!(report["ok"], true, "{report:#}");
    let found: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|found| found["what"].as_str().unwrap()).collect();
    for what in ["processor", "memory", "clock", "file system", "space", "sync", "journal", "settings"] {
        assert!(found.contains(&what), "{what} in {found:?}");
    }
    fs::write(dir.path().join("bad.toml"), "[run]\ncahs = 1\n").unwrap();
    let (code, out, _) = onetape(dir.path(), &["doctor", "--config", "bad.toml", "--quiet"]);
    assert!(code == 1 && out.contains("PROBLEM") && out.contains("cash"), "{out}");
    let mut stray = Command::new(env!("CARGO_BIN_EXE_onetape"));
    let output = stray.current_dir(dir.path()).env("ONETAPE_STRATEGI", "demo").args(["doctor", "--quiet"]);
    let out = String::from_utf8_lossy(&output.output().unwrap().stdout).into_owned();
    assert!(out.contains("ONETAPE_STRATEGI") && out.contains("ONETAPE_STRATEGY"), "{out}");
}
