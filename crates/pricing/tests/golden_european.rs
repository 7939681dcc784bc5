//! The European golden files: every row, at the tolerance of their README.
mod common;
use common::{Table, table};
use onetape_pricing::{Right, black76, bsm};

const EPS: f64 = f64::EPSILON;

fn right(row: &common::Row<'_>) -> Right {
    if row.text("type") == "c" { Right::Call } else { Right::Put }
}

/// κ of the README: the conditioning of d1.
fn kappa(d1: f64, total_vol: f64) -> f64 {
    1.0 + d1.abs() * (1.0 + d1.abs()) + (1.0 + d1.abs()) / total_vol
}

/// The largest error in the file's units for a quantity, and the row it is on.
#[derive(Default)]
struct Worst(std::collections::BTreeMap<&'static str, (f64, usize)>);

impl Worst {
    fn add(&mut self, name: &'static str, error: f64, id: usize) {
        assert!(!error.is_nan(), "{name} row {id}: NaN");
        let entry = self.0.entry(name).or_default();
        if error > entry.0 {
            *entry = (error, id);
        }
    }
}

#[test]
fn bsm_greeks_csv() {
    let Some(file) = table("bsm_greeks.csv") else { return };
    let mut worst = Worst::default();
    let mut worst_normal = Worst::default();
    for row in file.rows() {
        check_bsm_row(&row, &mut worst, &mut worst_normal);
    }
    for (name, (error, id)) in &worst.0 {
        println!("bsm_greeks {name}: {error:.2} units of eps κ of the largest term (row {id})");
        assert!(*error <= 16.0, "{name}: {error} on row {id}");
    }
    for (name, (error, id)) in &worst_normal.0 {
        println!("bsm_greeks normal rows, {name}: {error:.2e} of max(1, |value|) (row {id})");
        assert!(*error <= 1e-12, "{name}: {error} on row {id}");
    }
}

fn check_bsm_row(row: &common::Row<'_>, worst: &mut Worst, worst_normal: &mut Worst) {
    let [spot, strike, years, rate, q, vol] = ["S", "K", "T", "r", "q", "sigma"].map(|c| row.number(c));
    let inputs = bsm::BsmInputs { spot, strike, years, rate, dividend_yield: q, vol };
    let right = right(row);
    let g = bsm::greeks(&inputs, right);
    let id = row.number("id") as usize;

    let v = vol * years.sqrt();
    let d1 = ((spot / strike).ln() + (rate - q) * years) / v + 0.5 * v;
    let d2 = d1 - v;
    let k = kappa(d1, v);
    let sign = right.sign();
    let cdf = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
    let (dq, dr) = ((-q * years).exp(), (-rate * years).exp());
    let pdf = (-0.5 * d1 * d1).exp() * 0.398_942_280_401_432_7;
    let pdf2 = (-0.5 * d2 * d2).exp() * 0.398_942_280_401_432_7;
    let (spot_leg, strike_leg) = (spot * dq * cdf(sign * d1), strike * dr * cdf(sign * d2));
    let gamma = dq * pdf / (spot * v);
    let vega = spot * dq * pdf * years.sqrt();
    let (b, h) = ((rate - q).abs(), 0.5 / years);
    let (a1, a2) = (d1.abs(), d2.abs());
    let largest = |terms: &[f64]| terms.iter().fold(0.0_f64, |m, t| m.max(t.abs()));
    // Each quantity beside the largest term of its formula.
    let quantities = [
        ("price", g.price, spot_leg + strike_leg),
        ("delta", g.delta, dq * cdf(sign * d1)),
        ("gamma", g.gamma, gamma),
        ("vega", g.vega, vega),
        (
            "theta",
            g.theta,
            largest(&[spot * dq * pdf * vol / (2.0 * years.sqrt()), rate * strike_leg, q * spot_leg]),
        ),
        ("rho", g.rho, years * strike_leg),
        ("phi", g.phi, years * spot_leg),
        ("vanna", g.vanna, dq * pdf / vol * a2.max(a1).max(v)),
        ("charm", g.charm, largest(&[q * dq * cdf(sign * d1), dq * pdf * b / v, dq * pdf * a2.max(a1) * h])),
        ("vomma", g.vomma, vega * a1.max(v) * a2.max(v) / vol),
        ("veta", g.veta, vega * largest(&[q, b * a1 / v, h, a1 * a2 * h, h * v * a1])),
        ("speed", g.speed, gamma / spot * largest(&[1.0, a1 / v])),
        ("zomma", g.zomma, gamma / vol * largest(&[1.0, a1 * a2])),
        ("color", g.color, gamma * largest(&[q, h, a1 * b / v, a1 * a2 * h])),
        ("ultima", g.ultima, vega / (vol * vol) * largest(&[a1 * a2, a1 * a1 * a2 * a2, a1 * a1, a2 * a2])),
        ("dual_delta", g.dual_delta, dr * cdf(sign * d2)),
        ("dual_gamma", g.dual_gamma, dr * pdf2 / (strike * v)),
    ];
    for (name, value, scale) in quantities {
        let expected = row.number(name);
        let unit = EPS * k * scale;
        // Subnormal results have an absolute spacing.
        let error = ((value - expected).abs() - 1e-307).max(0.0);
        worst.add(name, if error == 0.0 { 0.0 } else { error / unit }, id);
        if row.text("regime") == "normal" {
            worst_normal.add(name, (value - expected).abs() / expected.abs().max(1.0), id);
        }
    }
}

#[test]
fn black76_csv() {
    let Some(file) = table("black76.csv") else { return };
    let mut worst = Worst::default();
    for row in file.rows() {
        let [forward, strike, years, rate, vol] = ["F", "K", "T", "r", "sigma"].map(|c| row.number(c));
        let right = right(&row);
        let g = black76::greeks(&black76::BlackInputs { forward, strike, years, rate, vol }, right);
        let v = vol * years.sqrt();
        let d1 = (forward / strike).ln() / v + 0.5 * v;
        let discount = (-rate * years).exp();
        let cdf = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
        let pdf = (-0.5 * d1 * d1).exp() * 0.398_942_280_401_432_7;
        let legs = discount * (forward * cdf(right.sign() * d1) + strike * cdf(right.sign() * (d1 - v)));
        let vega = discount * forward * pdf * years.sqrt();
        let (a1, a2) = (d1.abs(), (d1 - v).abs());
        let quantities = [
            ("price", g.price, legs),
            ("delta_fwd", g.delta, discount * cdf(right.sign() * d1)),
            ("gamma_fwd", g.gamma, discount * pdf / (forward * v)),
            ("vega", g.vega, vega),
            ("theta_fixed_fwd", g.theta, (rate.abs() * legs).max(0.5 * vega * vol / years)),
            ("rho_fixed_fwd", g.rho, years * legs),
            ("vanna_fwd", g.vanna, discount * pdf / vol * a1.max(a2)),
            ("vomma", g.vomma, vega * a1.max(v) * a2.max(v) / vol),
        ];
        for (name, value, scale) in quantities {
            let error = ((value - row.number(name)).abs() - 1e-307).max(0.0);
            let unit = EPS * kappa(d1, v) * scale;
            worst.add(name, if error == 0.0 { 0.0 } else { error / unit }, row.number("id") as usize);
        }
    }
    for (name, (error, id)) in &worst.0 {
        println!("black76 {name}: {error:.2} units (row {id})");
        assert!(*error <= 16.0, "{name}: {error} on row {id}");
    }
}

#[test]
fn published_european_csv() {
    let Some(file) = table("published_european.csv") else { return };
    for row in file.rows() {
        check_published(&row, &file);
    }
}

fn check_published(row: &common::Row<'_>, _file: &Table) {
    let [spot, strike, years, rate, q, vol] = ["S", "K", "T", "r", "q", "sigma"].map(|c| row.number(c));
    let g = bsm::greeks(&bsm::BsmInputs { spot, strike, years, rate, dividend_yield: q, vol }, right(row));
    let value = match row.text("quantity") {
        "price" => g.price,
        "delta" => g.delta,
        "gamma" => g.gamma,
        "vega" => g.vega,
        "theta" => g.theta,
        "rho" => g.rho,
        "phi" | "dividend_rho" => g.phi,
        "elasticity" => g.delta * spot / g.price,
        "theta_per_day" => g.theta / 365.0,
        "dual_delta" | "strike_sensitivity" => g.dual_delta,
        other => panic!("unknown quantity {other}"),
    };
    let tolerance = row.number("published_tol");
    assert!((value - row.number("published")).abs() <= tolerance, "row {}: {value}", row.text("id"));
    let exact = row.number("value_20d");
    assert!((value - exact).abs() <= 1e-12 * exact.abs().max(1.0), "row {}: {value}", row.text("id"));
}
