//! `chain`, `vol`, `payoff` and single prices as a user meets them, on the committed demo session.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../replay-data/one-2d");

fn onetape(work: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_onetape")).current_dir(work).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!err.contains("panicked"), "{args:?}: {err}");
    (output.status.code().unwrap(), out, err)
}

fn json(args: &[&str]) -> Value {
    let work = TempDir::new().unwrap();
    let (code, out, err) = onetape(work.path(), &[args, &["--json"]].concat());
    assert_eq!(code, 0, "{args:?}: {err}");
    serde_json::from_str(&out).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn one_option_has_its_published_price_in_both_units() {
    let flags = ["--spot", "60", "--strike", "65", "--years", "0.25", "--rate", "0.08", "--right", "call"];
    let priced = json(&[&["price", "--vol", "0.3"], &flags[..]].concat());
    // Haug (1998), p. 2.
    assert!((number(&priced["result"]["price"]) - 2.133_368_444_916_199).abs() < 1e-13, "{priced}");
    let work = TempDir::new().unwrap();
    let (_, table, _) = onetape(work.path(), &[&["price", "--vol", "0.3"], &flags[..]].concat());
    let vega = table.lines().find(|line| line.starts_with("vega")).unwrap();
    let shown: f64 = vega.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((100.0 * shown - number(&priced["result"]["vega"])).abs() < 1e-5, "{vega}");
    assert!(vega.ends_with("per volatility point"), "{vega}");
    let price = number(&priced["result"]["price"]).to_string();
    let vol = json(&[&["vol", "iv", "--price", &price], &flags[..]].concat());
    assert!((number(&vol["vol"]) - 0.3).abs() < 1e-13, "{vol}");
    // Andersen, Lake & Offengenden (2016), table 2.
    let american = ["--spot", "100", "--strike", "100", "--years", "1", "--rate", "0.05", "--div", "0.05"];
    let style = ["price", "--vol", "0.25", "--right", "put", "--style", "american"];
    let american = json(&[&style[..], &american[..]].concat());
    let expected = 9.462_492_596_167 + 0.106_952_702_747;
    assert!((number(&american["result"]["price"]) - expected).abs() < 1e-9, "{american}");
}

/// The generated session states its rate and has no dividends, so the forward is known.
#[test]
fn the_demo_chain_implies_the_forward_that_it_was_made_with() {
    let chain = json(&["chain", DEMO, "--expiry", "2025-06-20", "--at", "10:00", "--rate", "0.043"]);
    let inputs = &chain["inputs"];
    let (spot, years) = (number(&inputs["spot"]), number(&inputs["years"]));
    let forward = spot * (0.043 * years).exp();
    // Within a tenth of a per cent: the quotes are American and a few cents wide.
    assert!((number(&inputs["forward"]) - forward).abs() < 0.001 * spot, "{inputs}");
    let series = chain["series"].as_array().unwrap();
    assert!(series.len() > 40);
    let live: Vec<&Value> = series.iter().filter(|s| s["iv_mid"].is_f64()).collect();
    assert!(live.len() > 20);
    for s in live {
        // A bid may lie below every theoretical price; what has volatilities has them in order.
        let vols = [&s["iv_bid"], &s["iv_mid"], &s["iv_ask"]].map(|v| v.as_f64());
        if let [Some(bid), Some(mid), Some(ask)] = vols {
            assert!(bid <= mid && mid <= ask, "{s}");
        }
        assert!((number(&s["theoretical"]) - number(&s["mid"])).abs() < 1e-4, "{s}");
        let delta = number(&s["delta"]);
        assert!(if s["right"] == "call" {
            (0.0..=1.0).contains(&delta)
        } else {
            (-1.0..=0.0).contains(&delta)
        });
    }
}

/// The generator's chain has no arbitrage at natural prices.
#[test]
fn analytics_and_checks_of_the_demo_hold_together() {
    let found = json(&["chain", DEMO, "--analytics", "--at", "10:00", "--rate", "0.043"]);
    let expiries = found["expiries"].as_array().unwrap();
    assert!(expiries.len() >= 4, "{found}");
    let sum: f64 = expiries.iter().filter_map(|e| e["dealer_gamma"].as_f64()).sum();
    assert!((number(&found["dealer_gamma"]) / sum - 1.0).abs() < 1e-9);
    for e in expiries {
        let (vol, years) = (number(&e["atm_vol"]), number(&e["years"]));
        let spot = number(&e["expected_move"]) / (vol * years.sqrt());
        assert!((50.0..200.0).contains(&spot), "{e}");
    }
    let work = TempDir::new().unwrap();
    let (code, out, err) = onetape(
        work.path(),
        &["chain", DEMO, "--check", "--at", "10:00", "--rate", "0.043", "--band", "0.1"],
    );
    assert!(code == 0 || code == 1, "{err}");
    assert!(out.lines().last().unwrap().contains("arbitrage violations"), "{out}");
}

#[test]
fn surfaces_are_fitted_without_arbitrage_and_drawn() {
    let work = TempDir::new().unwrap();
    let args = [
        "vol", "surface", DEMO, "--at", "10:00", "--rate", "0.043", "--json", "--svg", "s.svg", "--html",
        "s.html",
    ];
    let (code, out, err) = onetape(work.path(), &args);
    assert_eq!(code, 0, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let expiries = found["expiries"].as_array().unwrap();
    assert!(expiries.len() >= 3);
    for e in expiries {
        assert!(
            number(&e["min_g"]) >= 0.0 && e["calendar_gap"].as_f64().is_none_or(|gap| gap > -1e-9),
            "{e}"
        );
    }
    let (svg, html) = (
        fs::read_to_string(work.path().join("s.svg")).unwrap(),
        fs::read_to_string(work.path().join("s.html")).unwrap(),
    );
    assert!(svg.starts_with("<svg") && svg.contains("volatility, % per year") && !svg.contains("NaN"));
    assert!(html.contains("<canvas") && !html.contains("http"), "the page needs no network");
    for model in ["ssvi", "sabr"] {
        let smile = ["vol", "smile", DEMO, "--expiry", "2025-06-20", "--at", "10:00", "--model", model];
        let smile = json(&smile);
        assert!(number(&smile["expiries"][0]["rmse_vol"]) < 0.02, "{model}: {smile}");
    }
}

#[test]
fn history_and_index_of_the_demo() {
    let rank = json(&["vol", "iv-rank", DEMO, "--at", "10:00"]);
    assert_eq!(rank["sessions"], 252);
    let realised = json(&["vol", "realised", DEMO, "--window", "60"]);
    for (name, vol) in realised[0]["vols"].as_object().unwrap() {
        assert!((0.02..0.6).contains(&number(vol)), "{name}");
    }
    let vix = json(&["vol", "vix", DEMO, "--at", "10:00"]);
    let (index, iv) = (number(&vix["index"]), 100.0 * number(&rank["iv30"]));
    assert!((0.7..1.6).contains(&(index / iv)), "index {index} beside IV30 {iv}");
}

#[test]
fn a_condor_by_hand() {
    let legs = ["--leg", "1,P,90,0.1,0.5", "--leg", "-1,P,95,0.1,1.5", "--leg", "-1,C,105,0.1,1.5", "--leg"];
    let found =
        json(&[&["payoff", "--spot", "100", "--vol", "0.2"], &legs[..], &["1,C,110,0.1,0.5"]].concat());
    assert_eq!(number(&found["credit"]), 200.0);
    let evens = found["break_evens"].as_array().unwrap();
    assert!((number(&evens[0]) - 93.0).abs() < 1e-9 && (number(&evens[1]) - 107.0).abs() < 1e-9);
    assert!((number(&found["max_profit"]["value"]) - 200.0).abs() < 1e-9);
    assert!((number(&found["max_loss"]["value"]) + 300.0).abs() < 1e-9);
    let call = json(&["payoff", "--spot", "100", "--leg", "-1,C,100,0.1,2"]);
    assert_eq!(call["max_loss"], "unlimited");
}

#[test]
fn a_wrong_command_is_named() {
    let work = TempDir::new().unwrap();
    for (args, code, says) in [
        (vec!["price", "--spot", "100", "--strike", "100", "--right", "call"], 2, "--vol"),
        (vec!["price", "--spot", "100", "--strike", "100", "--right", "call", "--vol", "0.2"], 2, "--years"),
        (
            vec!["price", "--spot", "inf", "--strike", "1", "--right", "put", "--vol", "1", "--years", "1"],
            2,
            "--spot",
        ),
        (
            vec![
                "vol", "iv", "--price", "1", "--spot", "100", "--strike", "90", "--right", "call", "--years",
                "1",
            ],
            3,
            "no-arbitrage minimum",
        ),
        (vec!["chain", "nowhere"], 3, "nowhere"),
        (vec!["chain", DEMO, "--symbol", "ONF"], 3, "did you mean 'ONE'?"),
        (vec!["chain", DEMO, "--expiry", "2025-06-21"], 3, "there are ONE:"),
        (vec!["chain", DEMO, "--expiry", "soon"], 2, "2025-05-16"),
        (vec!["chain", DEMO, "--at", "noon"], 2, "--at"),
        (vec!["chain", DEMO, "--at", "2024-01-01 10:00"], 3, "begins"),
        (vec!["chain", DEMO, "--dividend", "x"], 2, "--dividend"),
        (vec!["chain", DEMO, "--rate", "nan"], 2, "--rate"),
        (vec!["vol", "smile", DEMO, "--model", "sbr"], 2, "sabr"),
        (vec!["vol", "vix", "--csv", "q.csv", "--near", "0.1", "--next", "0.2,0"], 3, "q.csv"),
        (vec!["chain", DEMO, "--follow", "--from", "15:50", "--at", "15:45"], 2, "--from"),
        (vec!["payoff", "--run", "none"], 2, "--at"),
        (vec!["payoff", "--run", "none", "--at", "12"], 3, "none"),
        (vec!["vol", "surface", DEMO, "--beta", "2", "--model", "sabr"], 2, "--beta"),
        (vec!["vol", "realised", DEMO, "--window", "9999"], 3, "sessions"),
        (vec!["vol", "regime", DEMO, "--low-rank", "nan"], 2, "--low-rank: NaN is not a number"),
        (vec!["vol", "vix", "--csv", "none.csv", "--near", "0.1,0", "--next", "0.2,0"], 3, "none.csv"),
        (vec!["payoff", "--spot", "100"], 2, "--leg"),
        (vec!["payoff", "--spot", "100", "--leg", "1,X,100,0.1,1"], 2, "C, P or S"),
        (vec!["payoff", "--spot", "100", "--leg", "1,C,100,2025-05-16,1"], 2, "--at"),
        (vec!["payoff", "--spot", "100", "--leg", "1,C,100,0.1"], 2, "--vol"),
        (vec!["payoff", "--spot", "-1", "--leg", "1,S"], 2, "spot"),
        (
            vec!["payoff", "--spot", "100", "--strategy", "iron-condro", "--strikes", "1,2,3,4"],
            2,
            "iron-condor",
        ),
        (
            vec!["payoff", "--spot", "100", "--strategy", "iron-condor", "--strikes", "1,2,3"],
            2,
            "4 ascending",
        ),
    ] {
        let (found, _, message) = onetape(work.path(), &args);
        assert_eq!(found, code, "{args:?}: {message}");
        assert!(message.contains(says), "{args:?} says: {message}");
    }
}

/// Term structure, forwards, regime, models and local volatility agree with each other on the demo.
#[test]
fn term_structure_forwards_and_models_agree() {
    let at = [DEMO, "--at", "10:00", "--rate", "0.043"];
    let term = json(&[&["vol", "term"], &at[..]].concat());
    let forwards = json(&[&["chain", "--forwards"], &at[..]].concat());
    let (rows, carried) = (term["expiries"].as_array().unwrap(), forwards["expiries"].as_array().unwrap());
    assert_eq!(rows.len(), carried.len());
    for (row, carry) in rows.iter().zip(carried) {
        assert_eq!(row["expiry"], carry["expiry"]);
        assert_eq!(row["forward"], carry["forward"]);
        let (vol, years, spot) = (number(&row["atm_vol"]), number(&row["years"]), number(&carry["spot"]));
        assert!((number(&row["expected_move"]) - spot * vol * years.sqrt()).abs() < 1e-9, "{row}");
        // A straddle is worth 0.8 standard deviations; the blend with strangles a little less.
        let ratio = number(&row["straddle_move"]) / number(&row["expected_move"]);
        assert!((0.5..0.9).contains(&ratio), "{row}");
        // A skewed smile's variance swap costs more than the money's volatility.
        assert!(number(&row["variance_swap_vol"]) > 0.98 * vol, "{row}");
        assert!(number(&carry["call_put_agree"]) >= 0.9 * number(&carry["call_put_strikes"]), "{carry}");
    }
    let regime = json(&[&["vol", "regime"], &at[..]].concat());
    let index = number(&json(&[&["vol", "vix"], &at[..]].concat())["index"]);
    assert!((number(&regime["index"]) - index).abs() < 1e-12);
    let high = json(&[&["vol", "regime", "--high-index", "1"], &at[..]].concat());
    assert_eq!(high["regime"], "high_vol");
    let compared = json(&[&["vol", "surface", "--compare"], &at[..]].concat());
    for model in compared["models"].as_array().unwrap() {
        assert!(number(&model["rmse_vol"]) < 0.02, "{model}");
    }
    let heston = json(&[&["vol", "surface", "--model", "heston"], &at[..]].concat());
    assert!(number(&heston["heston"]["rho"]) < -0.2, "{heston}");
    let local = json(&[&["vol", "surface", "--local"], &at[..]].concat());
    let month = local["expiries"].as_array().unwrap().last().unwrap();
    let vols: Vec<f64> = month["local_vol"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert!(
        vols.len() >= 5 && vols[0] > *vols.last().unwrap(),
        "local volatility falls with the strike: {month}"
    );
}

/// The live chain re-marked on each tick stays near the quotes.
#[test]
fn the_followed_chain_stays_inside_its_quotes() {
    let found = json(&["chain", DEMO, "--follow", "--from", "10:00", "--at", "10:20", "--rate", "0.043"]);
    let rows = found["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "{found}");
    for row in &rows[1..] {
        assert!(number(&row["ticks"]) > 10.0 && number(&row["quotes"]) > 100.0, "{row}");
        assert!(number(&row["inside"]) > 0.9 * number(&row["quoted"]), "{row}");
        assert!(number(&row["marked"]) > 0.6 * number(&row["series"]), "{row}");
    }
}

/// The position that a run holds at a time, and its pay-off.
#[test]
fn a_runs_position_has_a_pay_off() {
    let work = TempDir::new().unwrap();
    let (code, out, err) = onetape(work.path(), &["replay", "--json"]);
    assert_eq!(code, 0, "{err}");
    let run: Value = serde_json::from_str(&out).unwrap();
    let id = run["run_id"].as_str().unwrap_or_else(|| panic!("{run}")).to_string();
    let args = ["payoff", "--run", &id, "--at", "2025-05-16T15:00:00Z", "--json"];
    let (code, out, err) = onetape(work.path(), &args);
    assert_eq!(code, 0, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let legs = found["legs"].as_array().unwrap();
    assert!(!legs.is_empty(), "{found}");
    let state = ["audit", "state", &id, "--at", "2025-05-16T15:00:00Z", "--json"];
    let (_, out, _) = onetape(work.path(), &state);
    let state: Value = serde_json::from_str(&out).unwrap();
    let held: usize =
        state["accounts"].as_array().unwrap().iter().map(|a| a["positions"].as_array().unwrap().len()).sum();
    assert_eq!(legs.len(), held);
}

#[test]
fn tables_fit_a_hundred_columns() {
    let work = TempDir::new().unwrap();
    let at = ["--at", "09:45"];
    let commands: [&[&str]; 10] = [
        &["chain", DEMO],
        &["chain", DEMO, "--analytics"],
        &["chain", DEMO, "--check"],
        &["chain", DEMO, "--forwards"],
        &["vol", "surface", DEMO, "--model", "heston"],
        &["vol", "surface", DEMO, "--local"],
        &["vol", "smile", DEMO],
        &["vol", "term", DEMO],
        &["vol", "regime", DEMO],
        &["vol", "vix", DEMO],
    ];
    for command in commands {
        let (_, out, err) = onetape(work.path(), &[command, &at[..]].concat());
        assert!(!out.is_empty(), "{command:?}: {err}");
        for line in out.lines() {
            assert!(line.chars().count() <= 100, "{command:?}: {line}");
        }
    }
}
