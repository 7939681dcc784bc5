use crate::table::{Worst, rows};
use onetape_pricing::Right;
use onetape_pricing::exotic::asian::{AsianGrid, arithmetic_call};
use onetape_pricing::exotic::barrier::BarrierOption;
use onetape_pricing::heston::Market;
use onetape_pricing::mc::lsm::{Exercise, LsmSettings, american_gbm};
use onetape_pricing::mc::payoff::Knock;

#[test]
fn barrier() {
    let Some(rows) = rows("barrier.csv") else { return };
    let mut worst = Worst::default();
    for row in &rows {
        let n = |c| row.number(c);
        let kind = row.text("kind");
        let option = BarrierOption {
            spot: n("S"),
            strike: n("K"),
            barrier: n("barrier"),
            is_up: kind.starts_with("Up"),
            knock: if kind.ends_with("In") { Knock::In } else { Knock::Out },
            right: if row.text("type") == "c" { Right::Call } else { Right::Put },
            rebate: n("rebate"),
            years: n("T"),
            rate: n("r"),
            dividend_yield: n("q"),
            vol: n("sigma"),
        };
        worst.see((option.price().unwrap() - n("published")).abs() / n("published_tol"), row.text("id"));
    }
    worst.check("barrier.csv in published tolerances", 1.0);
}

#[test]
fn asian() {
    let Some(rows) = rows("asian.csv") else { return };
    let mut worst = Worst::default();
    for row in &rows {
        let n = |c| row.number(c);
        let market = Market { spot: n("S"), rate: n("r"), dividend_yield: 0.0 };
        let found = arithmetic_call(&market, n("K"), n("T"), n("sigma"), AsianGrid::default()).unwrap();
        worst.see((found - n("continuous_arithmetic_call")).abs() / n("tol"), row.text("id"));
    }
    worst.check("asian.csv in published tolerances", 1.0);
}

#[test]
fn longstaff_schwartz_table_1() {
    let Some(rows) = rows("lsm.csv") else { return };
    let mut worst = Worst::default();
    for row in &rows {
        let n = |c| row.number(c);
        let market = Market { spot: n("S"), rate: n("r"), dividend_yield: 0.0 };
        let exercise = Exercise { right: Right::Put, strike: n("K"), terms: 4 };
        let dates = (n("exercises_per_year") * n("T")) as usize;
        let settings = LsmSettings { paths: 40_000, dates, seed: 2001 };
        let found = american_gbm(&market, n("sigma"), n("T"), &exercise, &settings).unwrap();
        let allowed = 3.0 * found.estimate.standard_error + 0.01;
        worst.see((found.estimate.mean - n("bermudan50_exact")).abs() / allowed, row.text("id"));
        assert!((found.european - n("european_exact")).abs() < 0.06, "row {}", row.text("id"));
    }
    worst.check("lsm.csv in (3 s.e. + 0.01)", 1.0);
}
