//! Every reference table of prices through the program, compared at the tolerance that its README
//! states.

use onetape_pricing::Right;
use onetape_pricing::bsm::{self, BsmInputs};
use onetape_tests::shared;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// One row of the program's answer.
struct Row(BTreeMap<String, String>);

impl Row {
    fn text(&self, column: &str) -> &str {
        self.0.get(column).unwrap_or_else(|| panic!("no column {column}"))
    }

    /// NaN for `nan` and blanks.
    fn number(&self, column: &str) -> f64 {
        self.text(column).parse().unwrap_or(f64::NAN)
    }
}

fn golden(name: &str) -> Option<PathBuf> {
    shared("golden/pricing").map(|folder| folder.join(name))
}

/// The file `name` through `command`; `None` when the reference data is absent.
fn compute(command: &[&str], name: &str) -> Option<Vec<Row>> {
    let path = golden(name)?;
    let mut program = Command::new(env!("CARGO_BIN_EXE_program"));
    let output = program.args(command).arg("--csv").arg(&path).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let mut reader = csv::Reader::from_reader(output.stdout.as_slice());
    let header = reader.headers().unwrap().clone();
    let name = |at: usize| header[at].to_string();
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        Row(record.iter().enumerate().map(|(at, cell)| (name(at), cell.to_string())).collect())
    });
    Some(rows.collect())
}

/// Asserts `|found − expected| ≤ tolerance` on every row where the table has a value, and prints the
/// worst ratio.
fn check(rows: &[Row], what: &str, found: &str, expected: &str, tolerance: impl Fn(&Row) -> f64) {
    let (mut worst, mut worst_id, mut compared) = (0.0_f64, "", 0);
    for row in rows.iter().filter(|row| !row.text(expected).is_empty()) {
        let (found, expected) = (row.number(found), row.number(expected));
        if found.is_nan() && expected.is_nan() {
            continue;
        }
        let ratio = (found - expected).abs() / tolerance(row);
        assert!(ratio <= 1.0, "{what} row {}: {found}, expected {expected}", row.text("id"));
        compared += 1;
        if ratio > worst {
            (worst, worst_id) = (ratio, row.text("id"));
        }
    }
    assert!(compared > 0, "{what}: nothing compared");
    println!("{what}: {compared} rows, worst {worst:.3} of the tolerance (row {worst_id})");
}

fn no_errors(rows: &[Row]) {
    for row in rows {
        assert_eq!(row.text("error"), "", "row {}", row.text("id"));
    }
}

/// The program's numbers are the library's to the bit (whose own tests apply the tables' tolerance
/// term by term), and good to 1e-12 on the ordinary rows.
#[test]
fn bsm_greeks() {
    let Some(rows) = compute(&["price", "--model", "bsm"], "bsm_greeks.csv") else { return };
    assert_eq!(rows.len(), 3_000);
    no_errors(&rows);
    for row in &rows {
        let n = |column| row.number(column);
        let inputs = BsmInputs {
            spot: n("S"),
            strike: n("K"),
            years: n("T"),
            rate: n("r"),
            dividend_yield: n("q"),
            vol: n("sigma"),
        };
        let right = if row.text("type") == "c" { Right::Call } else { Right::Put };
        let g = bsm::greeks(&inputs, right);
        for (column, value) in [("model_price", g.price), ("model_vega", g.vega), ("model_color", g.color)] {
            assert_eq!(n(column).to_bits(), value.to_bits(), "{column} row {}", row.text("id"));
        }
    }
    let normal: Vec<Row> = rows.into_iter().filter(|row| row.text("regime") == "normal").collect();
    for greek in [
        "price",
        "delta",
        "gamma",
        "vega",
        "theta",
        "rho",
        "phi",
        "vanna",
        "charm",
        "vomma",
        "veta",
        "speed",
        "zomma",
        "color",
        "ultima",
        "dual_delta",
        "dual_gamma",
    ] {
        let tolerance = |row: &Row| 1e-12 * row.number(greek).abs().max(1.0);
        check(&normal, &format!("bsm {greek}"), &format!("model_{greek}"), greek, tolerance);
    }
}

#[test]
fn implied_volatility() {
    let Some(rows) = compute(&["vol", "iv"], "iv.csv") else { return };
    no_errors(&rows);
    check(&rows, "iv", "model_sigma", "sigma", |row| {
        8.0 * f64::EPSILON * row.number("cond").max(1.0) * row.number("sigma")
    });
    let rows = compute(&["vol", "iv"], "iv_invalid.csv").unwrap();
    for row in &rows {
        assert!(!row.text("error").is_empty() && row.text("sigma").is_empty(), "row {}", row.text("id"));
    }
}

#[test]
fn american() {
    let command = ["price", "--model", "american", "--price-only"];
    let Some(rows) = compute(&command, "american.csv") else { return };
    no_errors(&rows);
    let high = |row: &Row| (3.0 * row.number("err_est")).max(1e-6);
    check(&rows, "american high", "model_price", "price", high);
    let fast = compute(&[&command[..], &["--scheme", "fast"]].concat(), "american.csv").unwrap();
    // A hair above the exercise boundary (row 99) the fast scheme is 1.2e-4 off.
    check(&fast, "american fast", "model_price", "price", |row| {
        (3.0 * row.number("err_est")).max(if row.text("id") == "99" { 2e-4 } else { 1e-4 })
    });
}

#[test]
fn cash_dividends_bermudan_and_trees() {
    let Some(rows) = compute(&["price", "--model", "american-div"], "american_discrete_div.csv") else {
        return;
    };
    no_errors(&rows);
    let tolerance = |row: &Row| (3.0 * row.number("err_est")).max(1e-3);
    check(&rows, "cash dividends, spot", "model_price_spot_model", "price_spot_model", tolerance);
    let tolerance = |row: &Row| (3.0 * row.number("escrowed_err_est")).max(1e-3);
    check(&rows, "cash dividends, escrowed", "model_price_escrowed_model", "price_escrowed_model", tolerance);
    let rows = compute(&["price", "--model", "bermudan"], "bermudan.csv").unwrap();
    check(&rows, "bermudan", "price", "bermudan_put", |_| 1e-8);
    let rows = compute(&["price", "--model", "lattice"], "lattice.csv").unwrap();
    check(&rows, "lattice", "model_price", "price", |row| 1e-11 * row.number("price").max(1e-3));
}

#[test]
fn stochastic_volatility_and_smiles() {
    let Some(rows) = compute(&["price", "--model", "heston"], "heston.csv") else { return };
    check(&rows, "heston", "model_price", "price", |_| 1e-11);
    let rows = compute(&["price", "--model", "heston"], "heston_published.csv").unwrap();
    check(&rows, "heston published", "price", "price_20d", |_| 1e-10);
    let rows = compute(&["price", "--model", "sabr"], "sabr.csv").unwrap();
    let column = "hagan_lognormal_vol";
    check(&rows, "sabr", "model_hagan_lognormal_vol", column, |row| 1e-12 * row.number(column));
}

#[test]
fn svi_and_ssvi() {
    let Some(rows) = compute(&["price", "--model", "svi"], "svi_slices.csv") else { return };
    for column in ["jw_v", "jw_psi", "jw_p", "jw_c", "jw_vtilde"] {
        let tolerance = |row: &Row| 1e-12 * row.number(column).abs().max(1e-3);
        check(&rows, column, &format!("model_{column}"), column, tolerance);
    }
    check(&rows, "min_g", "model_min_g", "min_g", |_| 1e-8);
    for row in &rows {
        assert_eq!(row.text("model_butterfly_free"), row.text("butterfly_free"), "row {}", row.text("id"));
    }
    let slices = golden("svi_slices.csv").unwrap().display().to_string();
    let rows = compute(&["price", "--model", "svi", "--slices", &slices], "svi_points.csv").unwrap();
    for column in ["w", "implied_vol", "dw_dk", "d2w_dk2", "g", "density_in_k"] {
        let tolerance = |row: &Row| 1e-12 * row.number(column).abs();
        check(&rows, column, &format!("model_{column}"), column, tolerance);
    }
    let rows = compute(&["price", "--model", "ssvi"], "ssvi_localvol.csv").unwrap();
    for column in ["theta", "phi", "w", "implied_vol", "dw_dT", "g", "local_vol"] {
        let tolerance = |row: &Row| 1e-9 * row.number(column).abs();
        check(&rows, column, &format!("model_{column}"), column, tolerance);
    }
}

/// Forward models against the table at the bar of ordinary rows; the extreme ones are the library's
/// own tests' business.
#[test]
fn black76() {
    let Some(rows) = compute(&["price", "--model", "black76"], "black76.csv") else { return };
    no_errors(&rows);
    for column in ["price", "delta_fwd", "gamma_fwd", "vega", "vanna_fwd", "vomma"] {
        let scale = |row: &Row| row.number(column).abs().max(row.number("F").max(row.number("K")) * 1e-3);
        let tolerance = |row: &Row| 1e-11 * scale(row);
        check(&rows, column, &format!("model_{column}"), column, tolerance);
    }
}

#[test]
fn explain_exotics_and_simulated_exercise() {
    let Some(rows) = compute(&["price", "--model", "pnl-explain"], "pnl_explain.csv") else { return };
    no_errors(&rows);
    for column in [
        "price0",
        "price1",
        "pnl",
        "delta_pnl",
        "gamma_pnl",
        "vega_pnl",
        "theta_pnl",
        "rho_pnl",
        "vanna_pnl",
        "vomma_pnl",
        "charm_pnl",
        "veta_pnl",
        "speed_pnl",
        "unexplained",
    ] {
        check(&rows, column, &format!("model_{column}"), column, |_| 1e-10);
    }
    let rows = compute(&["price", "--model", "barrier"], "barrier.csv").unwrap();
    no_errors(&rows);
    check(&rows, "barrier", "price", "published", |row| row.number("published_tol"));
    let rows = compute(&["price", "--model", "asian"], "asian.csv").unwrap();
    check(&rows, "asian", "price", "continuous_arithmetic_call", |row| row.number("tol"));
    let rows = compute(&["price", "--model", "lsm", "--set", "paths=40000"], "lsm.csv").unwrap();
    no_errors(&rows);
    check(&rows, "lsm", "price", "bermudan50_exact", |row| 3.0 * row.number("standard_error") + 0.01);
    let rows = compute(&["price", "--model", "bermudan", "--set", "q=0"], "lsm.csv").unwrap();
    check(&rows, "bermudan of lsm", "price", "bermudan50_exact", |_| 1e-8);
}

/// The Cboe's own examples and generated sets through `vol vix`, to the printed digits.
#[test]
fn vix_of_every_set() {
    let Some(path) = golden("vix.csv") else { return };
    let quotes = golden("vix_quotes.csv").unwrap().display().to_string();
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let mut sets = 0;
    for record in reader.records() {
        let record = record.unwrap();
        let cell =
            |name: &str| record.get(header.iter().position(|h| h == name).unwrap()).unwrap().to_string();
        let near = format!("{},{}", cell("T1"), cell("R1"));
        // Of one set the paper prints the next term's variance alone.
        let is_given = cell("n2").is_empty();
        let next = format!("{},{}", cell("T2"), cell("R2"));
        let next = if is_given { format!("{next},{}", cell("sigma2_2")) } else { next };
        let mut program = Command::new(env!("CARGO_BIN_EXE_program"));
        let set = cell("dataset");
        let args =
            ["vol", "vix", "--csv", &quotes, "--dataset", &set, "--near", &near, "--next", &next, "--json"];
        let output = program.args(args).output().unwrap();
        assert!(output.status.success(), "{set}: {}", String::from_utf8_lossy(&output.stderr));
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let (index, expected) = (found["index"].as_f64().unwrap(), cell("vix").parse::<f64>().unwrap());
        assert!((index - expected).abs() < 1e-10, "{set}: {index}, expected {expected}");
        sets += 1;
    }
    println!("vix: {sets} sets to 1e-10");
    assert_eq!(sets, 5);
}
