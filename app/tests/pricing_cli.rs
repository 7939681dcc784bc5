//! Price and volatility commands as a user meets them.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn onetape(work: &Path, args: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onetape"));
    let output = command.current_dir(work).args(args).write_stdin(input).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!err.contains("panicked"), "{args:?}: {err}");
    (output.status.code().unwrap(), out, err)
}

/// The cell of `column` in the first data row.
fn cell<'a>(csv: &'a str, column: &str) -> &'a str {
    let mut lines = csv.lines();
    let header = lines.next().unwrap();
    let at =
        header.split(',').position(|name| name == column).unwrap_or_else(|| panic!("{column}: {header}"));
    lines.next().unwrap().split(',').nth(at).unwrap()
}

fn assert_close(found: &str, expected: f64, tolerance: f64, what: &str) {
    let found: f64 = found.parse().unwrap_or_else(|_| panic!("{what}: '{found}'"));
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

#[test]
fn one_row_of_each_model_has_its_published_value() {
    let work = TempDir::new().unwrap();
    for (model, input, column, expected, tolerance) in [
        // Haug (1998), p. 2.
        ("bsm", "type,S,K,T,r,q,sigma\nc,60,65,0.25,0.08,0,0.3\n", "price", 2.133_368_444_916_199, 1e-14),
        // Haug (1998), p. 4: 1.7011.
        ("black76", "type,F,K,T,r,sigma\np,19,19,0.75,0.1,0.28\n", "price", 1.7011, 5e-5),
        // At the money: sigma sqrt(T/2 pi).
        ("bachelier", "type,F,K,T,r,sigma\nc,100,100,1,0,20\n", "price", 7.978_845_608_028_654, 1e-14),
        ("american", "type,S,K,T,r,q,sigma\np,100,100,1,0.05,0.05,0.25\n", "price", 9.573_396_3, 1e-2),
        // Longstaff & Schwartz (2001), table 1, exact for 50 dates.
        ("bermudan", "S,K,sigma,T,r,q,n_exercises\n36,40,0.2,1,0.06,0,50\n", "price", 4.477_811_111_14, 1e-9),
        // Lewis, Wilmott forum.
        (
            "heston",
            "type,S,K,T,r,q,v0,kappa,theta,sigma,rho\np,100,80,1,0.01,0.02,0.04,4,0.25,1,-0.5\n",
            "price",
            7.958_878_113_256_768,
            1e-11,
        ),
        // Hull: American put on a five-step tree.
        (
            "lattice",
            "lattice,exercise,type,S,K,T,r,q,sigma,steps\ncrr,american,p,50,50,0.4166666666666667,0.1,0,0.4,5\n",
            "price",
            4.49,
            5e-3,
        ),
        // Gatheral & Jacquier (2014): Vogt's slice and its jump wings.
        ("svi", "T,a,b,rho,m,sigma\n1,-0.041,0.1331,0.306,0.3586,0.4153\n", "jw_v", 0.017_426_25, 1e-8),
    ] {
        let (code, out, err) = onetape(work.path(), &["price", "--model", model, "--csv", "-"], input);
        assert_eq!(code, 0, "{model}: {err}");
        assert_close(cell(&out, column), expected, tolerance, model);
        assert_eq!(cell(&out, "error"), "", "{model}");
    }
}

#[test]
fn implied_volatility_inverts_a_price_file() {
    let work = TempDir::new().unwrap();
    let options = "type,S,K,T,r,q,sigma\nc,60,65,0.25,0.08,0.01,0.3\n";
    for model in ["bsm", "american"] {
        let price = ["price", "--model", model, "--csv", "-", "--price-only"];
        let (_, priced, _) = onetape(work.path(), &price, options);
        let (code, out, err) = onetape(work.path(), &["vol", "iv", "--model", model, "--csv", "-"], &priced);
        assert_eq!(code, 0, "{err}");
        // The file has a column sigma, so the result is named after the model.
        assert_close(cell(&out, "model_sigma"), 0.3, 1e-8, model);
    }
}

#[test]
fn a_bad_row_has_its_reason_and_spares_the_others() {
    let work = TempDir::new().unwrap();
    let rows = [
        ("c,100,100,1,0,0,0.2", ""),
        ("c,100,100,1,0,0,", "sigma is empty"),
        ("c,100,100,1,0,0,abc", "sigma is not a number: 'abc'"),
        ("c,100,100,1,0,0,-0.2", "\"sigma must be 0 or greater, and finite, found -0.2\""),
        ("c,nan,100,1,0,0,0.2", "\"S must be 0 or greater, and finite, found NaN\""),
        ("c,inf,100,1,0,0,0.2", "\"S must be 0 or greater, and finite, found inf\""),
        ("x,100,100,1,0,0,0.2", "\"type must be c or p, found 'x'\""),
        ("c,100,100,1,0,0", "\"the row has 6 fields, the header 7\""),
        ("c,100,100,1,0,0,0.2,9", "\"the row has 8 fields, the header 7\""),
        (
            "c,1e300,1e-300,1e300,1e300,-1e300,1e300",
            "the model has no finite price for these inputs (it gives NaN)",
        ),
    ];
    let mut input = "type,S,K,T,r,q,sigma\n".to_string();
    for (row, _) in rows {
        input.push_str(row);
        input.push('\n');
    }
    fs::write(work.path().join("in.csv"), &input).unwrap();
    let args = ["price", "--csv", "in.csv", "--out", "out.csv", "--price-only", "--json"];
    let (code, summary, note) = onetape(work.path(), &args, "");
    assert_eq!(code, 0, "{note}");
    assert!(note.contains("9 of 10 rows have an error") && note.contains("line 3: sigma is empty"), "{note}");
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!((summary["rows"].as_u64(), summary["errors"].as_u64()), (Some(10), Some(9)));
    let out = fs::read_to_string(work.path().join("out.csv")).unwrap();
    assert_eq!(out.lines().next().unwrap(), "type,S,K,T,r,q,sigma,price,error");
    for (line, (row, error)) in out.lines().skip(1).zip(rows) {
        if error.is_empty() {
            assert!(line.starts_with(&format!("{row},7.96556")) && line.ends_with(','), "{line}");
        } else {
            assert!(line.contains(&format!(",,{error}")), "{line} lacks {error}");
        }
    }
}

#[test]
fn the_order_is_kept_and_the_bytes_do_not_depend_on_threads() {
    let work = TempDir::new().unwrap();
    let mut input = "id,type,F,K,T,r,sigma\n".to_string();
    for id in 0..10_000 {
        let strike = 50.0 + f64::from(id % 100);
        input.push_str(&format!("{id},p,100,{strike},0.5,0.03,0.2{id}\n"));
    }
    let run = |threads: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onetape"));
        let args = ["price", "--model", "black76", "--csv", "-", "--quiet"];
        let command = command.current_dir(work.path()).env("RAYON_NUM_THREADS", threads).args(args);
        String::from_utf8(command.write_stdin(input.clone()).output().unwrap().stdout).unwrap()
    };
    let (one, many) = (run("1"), run("7"));
    assert!(one == many, "thread counts differ");
    assert_eq!(one.lines().count(), 10_001);
    for (id, line) in one.lines().skip(1).enumerate() {
        assert!(line.starts_with(&format!("{id},")), "{line}");
    }
}

#[test]
fn a_wrong_command_or_file_is_named() {
    let work = TempDir::new().unwrap();
    let good = "type,S,K,T,r,q,sigma\nc,60,65,0.25,0.08,0,0.3\n";
    fs::write(work.path().join("good.csv"), good).unwrap();
    fs::write(work.path().join("no-q.csv"), "type,S,K,T,r,sigma\nc,60,65,0.25,0.08,0.3\n").unwrap();
    fs::write(work.path().join("twice.csv"), "type,S,S,K,T,r,q,sigma\n").unwrap();
    fs::write(work.path().join("empty.csv"), "").unwrap();
    fs::write(work.path().join("slices.csv"), "id,T,a,b\n").unwrap();
    let price = |rest: &[&'static str]| [&["price"], rest].concat();
    for (args, code, says) in [
        (price(&[]), 2, "--spot"),
        (price(&["--csv", "none.csv"]), 3, "none.csv"),
        (price(&["--csv", "no-q.csv"]), 3, "no column 'q' (dividend yield"),
        (price(&["--csv", "no-q.csv"]), 3, "--set q=VALUE"),
        (price(&["--csv", "twice.csv"]), 3, "'S' appears more than once"),
        (price(&["--csv", "empty.csv"]), 3, "empty.csv: no header row"),
        (price(&["--csv", "good.csv", "--model", "bms"]), 2, "bsm"),
        (price(&["--csv", "good.csv", "--model", "american", "--scheme", "quick"]), 2, "fast"),
        (price(&["--csv", "good.csv", "--scheme", "fast"]), 2, "leave --scheme out"),
        (price(&["--csv", "good.csv", "--set", "q"]), 2, "COLUMN=VALUE"),
        (price(&["--csv", "good.csv", "--set", "q=0"]), 2, "good.csv has that column"),
        (price(&["--csv", "good.csv", "--set", "vol=0"]), 2, "the model reads the columns"),
        (price(&["--csv", "good.csv", "--out", "good.csv"]), 2, "is the input file"),
        (price(&["--csv", "good.csv", "--out", "no/where.csv"]), 3, "no/where.csv"),
        (price(&["--csv", "good.csv", "--json"]), 2, "--out"),
        (price(&["--csv", "good.csv", "--slices", "slices.csv"]), 2, "--model svi"),
        (price(&["--csv", "good.csv", "--model", "svi", "--slices", "slices.csv"]), 3, "no column 'rho'"),
        (vec!["vol", "iv", "--csv", "good.csv"], 3, "no column 'F'"),
        (vec!["vol", "iv", "--csv", "good.csv", "--model", "blck"], 2, "black"),
    ] {
        let (found, _, message) = onetape(work.path(), &args, "");
        assert_eq!(found, code, "{args:?}: {message}");
        assert!(message.contains(says), "{args:?} says: {message}");
    }
    let left: Vec<_> = fs::read_dir(work.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 5, "only the inputs are left: {left:?}");
}

#[test]
fn a_column_may_be_given_for_every_row() {
    let work = TempDir::new().unwrap();
    let input = "type,S,K,T,r,sigma\nc,60,65,0.25,0.08,0.3\n";
    let args = ["price", "--csv", "-", "--set", "q=0"];
    let (code, out, err) = onetape(work.path(), &args, input);
    assert_eq!(code, 0, "{err}");
    assert_close(cell(&out, "price"), 2.133_368_444_916_199, 1e-14, "price");
}
