use crate::table::{Row, Worst, rows};
use onetape_pricing::Right;
use onetape_pricing::heston::{Heston, Market};

fn price(row: &Row) -> f64 {
    let n = |c| row.number(c);
    let model =
        Heston { v0: n("v0"), kappa: n("kappa"), theta: n("theta"), sigma: n("sigma"), rho: n("rho") };
    let market = Market { spot: n("S"), rate: n("r"), dividend_yield: n("q") };
    let right = if row.text("type") == "c" { Right::Call } else { Right::Put };
    model.price(&market, n("K"), n("T"), right).expect("a valid row")
}

#[test]
fn random_models() {
    let Some(rows) = rows("heston.csv") else { return };
    let mut worst = Worst::default();
    for row in &rows {
        worst.see((price(row) - row.number("price")).abs(), row.text("id"));
    }
    worst.check("heston.csv absolute (S = 100)", 1e-11);
}

#[test]
fn published_models() {
    let Some(rows) = rows("heston_published.csv") else { return };
    let mut worst = Worst::default();
    for row in &rows {
        let found = price(row);
        worst.see((found - row.number("price_20d")).abs(), row.text("id"));
        // The published digits are compared at their own tolerance, floored at f64 resolution.
        let tolerance = row.number("published_tol").max(1e-12);
        assert!((found - row.number("published")).abs() <= tolerance, "row {}", row.text("id"));
    }
    worst.check("heston_published.csv absolute against 20 digits", 1e-10);
}
