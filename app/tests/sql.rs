//! `audit sql`, with the feature and without.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

fn onetape(work: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onetape"));
    command.current_dir(work).env_remove("ONETAPE_OUT").env_remove("ONETAPE_SESSION");
    let output = command.args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn demo(work: &Path) -> Value {
    let (code, text, error) = onetape(work, &["replay", "--json", "--quiet"]);
    assert_eq!(code, 0, "{error}");
    serde_json::from_str(&text).unwrap()
}

#[cfg(not(feature = "sql"))]
#[test]
fn without_the_feature_sql_says_how_to_build_it() {
    let work = TempDir::new().unwrap();
    let run = demo(work.path());
    let id = run["run_id"].as_str().unwrap();
    let (code, text, error) = onetape(work.path(), &["audit", "sql", id, "select 1"]);
    assert_eq!((code, text.as_str()), (2, ""), "{error}");
    assert!(error.contains("--features sql") && error.contains("audit export"), "{error}");
}

#[cfg(feature = "sql")]
#[test]
fn sql_answers_what_the_run_says() {
    let work = TempDir::new().unwrap();
    let run = demo(work.path());
    let id = run["run_id"].as_str().unwrap();
    let ask = |query: &str| {
        let (code, text, error) = onetape(work.path(), &["audit", "sql", id, query, "--json"]);
        assert_eq!(code, 0, "{query}: {error}");
        serde_json::from_str::<Value>(&text).unwrap()["rows"].clone()
    };
    assert_eq!(ask("select count(*) from inputs")[0][0], run["inputs"]);
    assert_eq!(ask("select count(*) from EVENTS")[0][0], run["derived"]);
    assert_eq!(
        ask("select count(*), (select count(*) from orders) from fills")[0],
        serde_json::json!([run["fills"], run["orders"]])
    );
    let fees = ask("select round(sum(fee), 2) from fills")[0][0].as_f64().unwrap();
    assert_eq!(fees, run["fees"].as_str().unwrap().parse::<f64>().unwrap());
    // A position is what the account's fills and expiries came to.
    assert_eq!(
        ask("select round(sum(fees) - (select sum(fee) from fills), 6) from positions")[0][0].as_f64(),
        Some(0.0)
    );
    assert_eq!(
        ask("select count(*) from positions p where quantity <> 0 and average_price is null")[0][0],
        serde_json::json!(0)
    );
    let realized = ask("select round(sum(realized), 6) from positions")[0][0].as_f64().unwrap();
    assert_eq!(realized, run["realized_pnl"].as_str().unwrap().parse::<f64>().unwrap());
    let joined = ask(
        "select o.state, i.kind from fills f join orders o on o.\"order\" = f.\"order\" join inputs i on i.seq = f.justification group by 1, 2",
    );
    assert!(!joined.as_array().unwrap().is_empty());
    let (code, table, _) =
        onetape(work.path(), &["audit", "sql", id, "select symbol, fields from events where kind = 'fill'"]);
    assert!(code == 0 && table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert_eq!(table.lines().count(), 1 + run["fills"].as_u64().unwrap() as usize);
}

#[cfg(feature = "sql")]
#[test]
fn sql_refuses_with_the_place_and_the_tables() {
    let work = TempDir::new().unwrap();
    let run = demo(work.path());
    let id = run["run_id"].as_str().unwrap();
    for (query, says) in [
        ("select pric from fills", "no such column: pric at character 8"),
        ("select * form fills", "syntax error"),
        ("select * from trades", "no such table: trades"),
        ("delete from fills", "one SELECT is expected"),
        ("select 1; select 2", "one query"),
        ("attach 'x.db' as x", "one SELECT is expected"),
        ("", "one SELECT is expected"),
    ] {
        let (code, text, error) = onetape(work.path(), &["audit", "sql", id, query]);
        assert_eq!((code, text.as_str()), (2, ""), "{query}: {error}");
        assert!(error.contains(says), "{query}: {error}");
        assert!(says.contains("expected") || error.contains("justification"), "{query}: {error}");
    }
    assert!(!work.path().join("x.db").exists());
}
