use crate::table::{Row, Worst, relative, rows};
use onetape_pricing::Right;
use onetape_pricing::bsm::{BsmInputs, greeks, price};
use onetape_pricing::explain::{Move, taylor};
use onetape_pricing::vol::variance_swap::{SwapTerms, Wing, fair_variance};
use onetape_pricing::vol::vix::{StrikeQuotes, TermVariance, index, term_variance};

fn quotes(all: &[Row], dataset: &str, term: &str) -> Vec<StrikeQuotes> {
    all.iter()
        .filter(|r| r.text("dataset") == dataset && r.text("term") == term)
        .map(|r| StrikeQuotes {
            strike: r.number("strike"),
            call_bid: r.number("call_bid"),
            call_ask: r.number("call_ask"),
            put_bid: r.number("put_bid"),
            put_ask: r.number("put_ask"),
        })
        .collect()
}

#[test]
fn vix() {
    let (Some(sets), Some(all), Some(parts)) =
        (rows("vix.csv"), rows("vix_quotes.csv"), rows("vix_contributions.csv"))
    else {
        return;
    };
    let (mut terms, mut strikes, mut indices) = (Worst::default(), Worst::default(), Worst::default());
    for set in &sets {
        let name = set.text("dataset");
        let mut variances = Vec::new();
        for term in ["1", "2"] {
            let n = |c: &str| set.number(&format!("{c}{term}"));
            let quotes = quotes(&all, name, term);
            if quotes.is_empty() {
                // The paper prints only this term's variance.
                variances.push((n("T"), set.number(&format!("sigma2_{term}"))));
                continue;
            }
            let found: TermVariance = term_variance(&quotes, n("T"), n("R")).unwrap();
            terms.see(relative(found.forward, n("F")), name);
            terms.see(relative(found.variance, set.number(&format!("sigma2_{term}"))), name);
            assert_eq!(found.k0, set.number(&format!("K0_{term}")), "{name} {term}");
            let expected: Vec<&Row> =
                parts.iter().filter(|r| r.text("dataset") == name && r.text("term") == term).collect();
            assert_eq!(found.contributions.len(), expected.len(), "{name} {term}");
            for (c, row) in found.contributions.iter().zip(expected) {
                assert_eq!(c.strike, row.number("strike"));
                strikes.see(relative(c.delta_k, row.number("deltaK")), name);
                strikes.see(relative(c.quote, row.number("Q")), name);
                strikes.see(relative(c.value, row.number("contribution")), name);
            }
            variances.push((n("T"), found.variance));
        }
        indices.see((index(variances[0], variances[1]).unwrap() - set.number("vix")).abs(), name);
    }
    terms.check("vix.csv forward, sigma2 relative", 1e-10);
    strikes.check("vix_contributions.csv relative", 1e-10);
    indices.check("vix.csv index absolute", 1e-10);
}

#[test]
fn variance_swap() {
    let Some(rows) = rows("variance_swap.csv") else { return };
    let row = &rows[0];
    let years = row.number("T");
    let vol = |k: f64| 0.20 - 0.01 * (k - 100.0) / 5.0;
    let value = |strike: f64, right| {
        price(
            &BsmInputs { spot: 100.0, strike, years, rate: 0.05, dividend_yield: 0.0, vol: vol(strike) },
            right,
        )
    };
    let puts: Vec<f64> = (0..=10).map(|i| 100.0 - 5.0 * f64::from(i)).collect();
    let calls: Vec<f64> = (0..=7).map(|i| 100.0 + 5.0 * f64::from(i)).collect();
    let put_prices: Vec<f64> = puts.iter().map(|&k| value(k, Right::Put)).collect();
    let call_prices: Vec<f64> = calls.iter().map(|&k| value(k, Right::Call)).collect();
    let terms = SwapTerms { spot: 100.0, rate: 0.05, dividend_yield: 0.0, years, boundary: 100.0 };
    let found = fair_variance(
        &terms,
        Wing { strikes: &puts, prices: &put_prices },
        Wing { strikes: &calls, prices: &call_prices },
    )
    .unwrap();
    let mut worst = Worst::default();
    worst.see((found - row.number("published_fair_variance")).abs(), "1");
    worst.check("variance_swap.csv absolute", row.number("tol"));
}

#[test]
fn pnl_explain() {
    let Some(rows) = rows("pnl_explain.csv") else { return };
    let mut worst = Worst::default();
    for row in &rows {
        let n = |c| row.number(c);
        let right = if row.text("type") == "c" { Right::Call } else { Right::Put };
        let start = BsmInputs {
            spot: n("S0"),
            strike: n("K"),
            years: n("T0"),
            rate: n("r0"),
            dividend_yield: n("q"),
            vol: n("sigma0"),
        };
        let end =
            BsmInputs { spot: n("S1"), years: n("T0") - n("dt"), rate: n("r1"), vol: n("sigma1"), ..start };
        let step = Move {
            spot: n("S1") - n("S0"),
            vol: n("sigma1") - n("sigma0"),
            years: n("dt"),
            rate: n("r1") - n("r0"),
        };
        let found = taylor(&greeks(&start, right), &step);
        let pnl = price(&end, right) - price(&start, right);
        for (value, column) in [
            (pnl, "pnl"),
            (found.delta, "delta_pnl"),
            (found.gamma, "gamma_pnl"),
            (found.vega, "vega_pnl"),
            (found.theta, "theta_pnl"),
            (found.rho, "rho_pnl"),
            (found.vanna, "vanna_pnl"),
            (found.vomma, "vomma_pnl"),
            (found.charm, "charm_pnl"),
            (found.veta, "veta_pnl"),
            (found.speed, "speed_pnl"),
            (found.unexplained(pnl), "unexplained"),
        ] {
            worst.see((value - n(column)).abs(), row.text("id"));
        }
    }
    worst.check("pnl_explain.csv absolute", 1e-10);
}
