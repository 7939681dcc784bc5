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
        (vec!["vol", "iv", "--csv", "good.csv"], 3, "no column 'price'"),
        (vec!["vol", "iv", "--csv", "good.csv", "--model", "black"], 3, "no column 'F'"),
        (price(&["--model", "heston", "--spot", "100"]), 2, "heston needs --right"),
        (price(&["--model", "mc-local", "--csv", "good.csv"]), 2, "--slices"),
        (price(&["--csv", "good.csv", "--check", "tight"]), 2, "1e-9"),
        (price(&["--csv", "good.csv", "--check", "delta=1"]), 2, "no column 'delta'"),
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

/// Golden numbers of the models that simulate, of closed forms of exotics, and of the P&L explain.
#[test]
fn paths_exotics_and_explain_have_their_published_values() {
    let work = TempDir::new().unwrap();
    let run = |model: &str, scheme: &[&str], input: &str| {
        let (code, out, err) =
            onetape(work.path(), &[&["price", "--model", model, "--csv", "-"], scheme].concat(), input);
        assert_eq!(code, 0, "{model}: {err}");
        assert_eq!(cell(&out, "error"), "", "{model}");
        out
    };
    // Haug (1998), p. 72; Linetsky and Vecer's case; both observed continuously.
    let barrier = "kind,type,barrier,rebate,K,S,q,r,T,sigma\nDownOut,c,95,3,90,100,0.04,0.08,0.5,0.25\n";
    assert_close(cell(&run("barrier", &[], barrier), "price"), 9.0246, 1e-4, "barrier");
    let asian = "S,r,sigma,K,T\n2,0.05,0.5,2,1\n";
    assert_close(cell(&run("asian", &[], asian), "price"), 0.246_416, 1e-5, "asian");
    // The same barrier by simulation with the bridge, rebate at the end in place of at the hit.
    let mc = "kind,type,barrier,K,S,q,r,T,sigma,payoff,dates\n\
              DownOut,c,95,90,100,0.04,0.08,0.5,0.25,barrier-continuous,4\n";
    let (found, exact) = (
        run("mc", &[], mc),
        run("barrier", &[], &mc.replace(",payoff,dates", "").replace(",barrier-continuous,4", "")),
    );
    let error: f64 = cell(&found, "standard_error").parse().unwrap();
    assert!(error > 0.0 && error < 0.01, "{found}");
    assert_close(
        cell(&found, "price"),
        cell(&exact, "price").parse().unwrap(),
        4.0 * error + 1e-4,
        "mc barrier",
    );
    // Lewis's Heston price by paths.
    let heston =
        "type,S,K,T,r,q,v0,kappa,theta,sigma,rho,dates\np,100,80,1,0.01,0.02,0.04,4,0.25,1,-0.5,64\n";
    let found = run("mc-heston", &[], heston);
    let error: f64 = cell(&found, "standard_error").parse().unwrap();
    assert_close(cell(&found, "price"), 7.958_878_113_256_768, 4.0 * error + 0.02, "mc-heston");
    // Longstaff & Schwartz (2001), table 1.
    let lsm = "S,K,sigma,T,r,exercises_per_year\n36,40,0.2,1,0.06,50\n";
    assert_close(cell(&run("lsm", &[], lsm), "price"), 4.477_811, 0.02, "lsm");
    assert_close(cell(&run("bermudan", &["--set", "q=0"], lsm), "price"), 4.477_811_111_14, 1e-9, "bermudan");
    // Two equal assets moving as one are one asset.
    let basket = "type,S,K,T,r,sigma,weights,correlation\nc,100;100,100,1,0.05,0.2,0.5,0.999999\n";
    assert_close(cell(&run("mc-basket", &[], basket), "price"), 10.450_583_572, 0.01, "basket");
    // Jumps that never come.
    let merton = "type,S,K,T,r,sigma,intensity,jump_mean,jump_vol\nc,100,100,1,0.05,0.2,0,0,0\n";
    assert_close(cell(&run("mc-merton", &[], merton), "price"), 10.450_583_572, 0.01, "merton");
    // A 50-digit row of the P&L explain.
    let explain = "type,S0,K,T0,r0,q,sigma0,S1,dt,r1,sigma1\n\
                   c,100.0,104.15,1.6144,0.0038,0.0047,0.4805,99.8336,0.00821917808219178,0.00299,0.4978\n";
    let found = run("pnl-explain", &[], explain);
    for (column, expected) in [
        ("pnl", 0.638_404_697_766_206_2),
        ("delta_pnl", -0.097_993_917_545_568_36),
        ("vega_pnl", 0.846_337_927_969_264_1),
        ("theta_pnl", -0.058_708_072_286_191_72),
    ] {
        assert_close(cell(&found, column), expected, 1e-10, column);
    }
    let found = run("pnl-explain", &["--scheme", "sequential"], explain);
    let parts = ["time_pnl", "spot_pnl", "vol_pnl", "rate_pnl", "yield_pnl"];
    let sum: f64 = parts.iter().map(|column| cell(&found, column).parse::<f64>().unwrap()).sum();
    assert_close(cell(&found, "pnl"), sum, 1e-13, "sequential");
}

/// The local volatility of a flat surface is its volatility.
#[test]
fn a_flat_surface_simulates_to_black_and_scholes() {
    let work = TempDir::new().unwrap();
    // b = 0: total variance 0.04 T at every strike.
    fs::write(work.path().join("s.csv"), "id,T,a,b,rho,m,sigma\n1,0.5,0.02,0,0,0,0.1\n2,1,0.04,0,0,0,0.1\n")
        .unwrap();
    let args = ["price", "--model", "mc-local", "--slices", "s.csv", "--csv", "-"];
    let (code, out, err) = onetape(work.path(), &args, "type,S,K,T,r\nc,100,100,1,0.05\n");
    assert_eq!(code, 0, "{err}");
    assert_close(cell(&out, "price"), 10.450_583_572, 0.01, "local volatility");
}

/// Each early-exercise method inverts its own price, and gives Greeks.
#[test]
fn every_early_exercise_scheme_has_greeks_and_an_implied_volatility() {
    let work = TempDir::new().unwrap();
    let plain = "type,S,K,T,r,q,sigma\np,100,105,0.5,0.04,0.01,0.3\n";
    let dates = "type,S,K,T,r,q,sigma,n_exercises\np,100,105,0.5,0.04,0.01,0.3,6\n";
    let tree = "lattice,exercise,type,S,K,T,r,q,sigma,steps\nlr,american,p,100,105,0.5,0.04,0.01,0.3,51\n";
    let paid = "type,S,K,T,r,sigma,dividends\np,100,105,0.5,0.04,0.3,73:1.5\n";
    for (model, scheme, input, tolerance) in [
        ("american", "high", plain, 1e-8),
        ("american", "fast", plain, 1e-8),
        ("american", "baw", plain, 1e-8),
        ("american", "bjerksund-stensland", plain, 1e-8),
        ("american", "bjerksund-stensland-1993", plain, 1e-8),
        ("american", "finite-difference", plain, 1e-6),
        ("bermudan", "", dates, 1e-8),
        ("lattice", "", tree, 1e-8),
        ("american-div", "spot", paid, 1e-6),
        ("american-div", "escrowed", paid, 1e-6),
    ] {
        let with = |head: &[&'static str]| {
            let mut args = [head, &["--model", model, "--csv", "-"]].concat();
            if model == "bermudan" && head == ["price"] {
                args.push("--greeks");
            }
            if !scheme.is_empty() {
                args.extend(["--scheme", scheme]);
            }
            args
        };
        let (code, out, err) = onetape(work.path(), &with(&["price"]), input);
        assert_eq!(code, 0, "{model} {scheme}: {err}");
        let delta: f64 = cell(&out, "delta").parse().unwrap();
        let vega: f64 = cell(&out, "vega").parse().unwrap();
        assert!((-0.7..-0.4).contains(&delta) && (25.0..30.0).contains(&vega), "{model} {scheme}: {out}");
        let priced = out.replace("price_spot_model", "price").replace("price_escrowed_model", "price");
        let (code, out, err) = onetape(work.path(), &with(&["vol", "iv"]), &priced);
        assert_eq!(code, 0, "{model} {scheme}: {err}");
        assert_close(cell(&out, "model_sigma"), 0.3, tolerance, scheme);
    }
    // The exact method beside the grid.
    let call = "type,S,K,T,r,sigma,dividends\nc,100,95,0.5,0.04,0.3,73:1.5\n";
    let price = |scheme: &str| {
        let args = ["price", "--model", "american-div", "--csv", "-", "--scheme", scheme, "--price-only"];
        onetape(work.path(), &args, call).1
    };
    let (exact, grid) = (price("exact"), price("both"));
    for column in ["price_spot_model", "price_escrowed_model"] {
        assert_close(cell(&exact, column), cell(&grid, column).parse().unwrap(), 1e-3, column);
    }
}

/// Where the dividends are worth more than the spot the escrowed model has nothing to diffuse.
#[test]
fn dividends_above_the_spot_are_refused_by_the_escrowed_model_alone() {
    let work = TempDir::new().unwrap();
    let large = "type,S,K,T,r,sigma,dividends\np,100,105,0.5,0.04,0.3,73:120\n";
    for (scheme, refused) in [("both", true), ("escrowed", true), ("spot", false)] {
        let args = ["price", "--model", "american-div", "--csv", "-", "--scheme", scheme];
        let (_, out, err) = onetape(work.path(), &args, large);
        let error = cell(&out, "error");
        assert_eq!(error.contains("present value below the spot"), refused, "{scheme}: {out}{err}");
    }
}

/// Quoted figures beside theory: what lies outside its band is named, and the exit code says so.
#[test]
fn quoted_greeks_are_validated() {
    let work = TempDir::new().unwrap();
    let quoted = "right,spot,strike,years,rate,q,iv,price,delta,vega\r\n\
                  call,60,65,0.25,0.08,0,0.3,2.13,0.3725,0.1135\r\n\
                  call,60,65,0.25,0.08,0,0.3,2.13,0.5,0.1135\r\n\
                  call,60,65,0.25,0.08,0,0.3,,,\r\n";
    fs::write(work.path().join("in.csv"), format!("\u{feff}{quoted}")).unwrap();
    let args = [
        "price",
        "--csv",
        "in.csv",
        "--units",
        "trader",
        "--check",
        "0.01",
        "--check",
        "vega=0.001",
        "--out",
        "out.csv",
        "--json",
    ];
    let (code, summary, _) = onetape(work.path(), &args, "");
    assert_eq!(code, 1, "{summary}");
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let compared = summary["compared"].as_array().unwrap();
    assert_eq!(compared.len(), 3, "{summary}");
    let delta = compared.iter().find(|one| one["column"] == "delta").unwrap();
    assert_eq!((delta["rows"].as_u64(), delta["outside"].as_u64()), (Some(2), Some(1)));
    assert_eq!(delta["worst_line"].as_u64(), Some(3));
    let out = fs::read_to_string(work.path().join("out.csv")).unwrap();
    assert!(out.lines().next().unwrap().ends_with(",outside,error"), "{out}");
    let outside: Vec<&str> = out.lines().skip(1).map(|line| line.rsplit(',').nth(1).unwrap()).collect();
    assert_eq!(outside, ["", "delta", ""]);
}

/// One option of any model is a row of that model.
#[test]
fn one_option_is_a_row_of_its_model() {
    let work = TempDir::new().unwrap();
    let args = [
        "price",
        "--model",
        "heston",
        "--spot",
        "100",
        "--strike",
        "80",
        "--years",
        "1",
        "--right",
        "put",
        "--rate",
        "0.01",
        "--div",
        "0.02",
        "--set",
        "v0=0.04",
        "--set",
        "kappa=4",
        "--set",
        "theta=0.25",
        "--set",
        "sigma=1",
        "--set",
        "rho=-0.5",
        "--json",
    ];
    let (code, out, err) = onetape(work.path(), &args, "");
    assert_eq!(code, 0, "{err}");
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    let price = found["result"]["price"].as_f64().unwrap();
    assert!((price - 7.958_878_113_256_768).abs() < 1e-11, "{found}");
}
