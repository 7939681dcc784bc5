//! The page of `onetape vol surface --html`: volatility and Greeks over strike and time, in 3-D.

use super::models;
use crate::cmd::market::MarketAt;
use onetape_analytics::chain::fit::{FittedChain, FittedExpiry};
use onetape_analytics::chain::{ExpirySlice, Series};
use onetape_analytics::picture::{Grid, SurfacePage};
use onetape_pricing::bsm::BsmInputs;
use onetape_pricing::surface::Smile;
use onetape_pricing::{Right, bsm};

const COLUMNS: usize = 41;
/// About as many, each expiry one of them.
const ROWS: f64 = 32.0;

/// The surface over the strikes that most expiries quote, and the Greeks of calls.
pub(super) fn surface_page(market: &MarketAt, slices: &[ExpirySlice], found: &FittedChain) -> SurfacePage {
    let x = strikes(slices);
    let knots = knots(slices, found);
    let mut names = vec![
        "implied volatility, % per year",
        "delta of the call, per $1",
        "gamma, delta per $1",
        "vega, $ per volatility point",
        "theta of the call, $ per day",
    ];
    let local = models::svi_surface(found);
    if local.is_some() {
        names.push("local volatility (Dupire), % per year");
    }
    let mut grids: Vec<Grid> =
        names.iter().map(|name| Grid { name: (*name).to_string(), values: Vec::new() }).collect();
    let mut y = Vec::new();
    for moment in moments(&knots) {
        y.push(moment.years * 365.0);
        let mut rows = vec![Vec::with_capacity(COLUMNS); names.len()];
        for strike in &x {
            let k = (strike / moment.forward()).ln();
            let vol = moment.vol(k);
            let risk = bsm::risk(&moment.inputs(*strike, vol), Right::Call);
            let dupire = local.as_ref().and_then(|s| s.local_vol(k, moment.years).ok());
            let values = [
                100.0 * vol,
                risk.delta,
                risk.gamma,
                risk.vega / 100.0,
                risk.theta / 365.0,
                100.0 * dupire.unwrap_or(f64::NAN),
            ];
            rows.iter_mut().zip(values).for_each(|(row, value)| row.push(value));
        }
        grids.iter_mut().zip(rows).for_each(|(grid, row)| grid.values.push(row));
    }
    SurfacePage {
        title: format!("{}: volatility surface and Greeks", market.symbol),
        source: format!(
            "{}; Greeks by Black–Scholes–Merton; between expiries total variance and carry are linear in \
             time; onetape",
            market.caption()
        ),
        x_label: "strike".into(),
        y_label: "days to expiry".into(),
        x,
        y,
        grids,
    }
}

fn strikes(slices: &[ExpirySlice]) -> Vec<f64> {
    let reach = |pick: fn(&ExpirySlice) -> Option<f64>| {
        let mut ends: Vec<f64> =
            slices.iter().filter(|s| s.smile_quotes().len() >= 5).filter_map(pick).collect();
        ends.sort_by(f64::total_cmp);
        ends.get(ends.len() / 2).copied()
    };
    let low = reach(|s| s.out_of_the_money().find(two_sided).map(|x| x.strike));
    let high = reach(|s| s.out_of_the_money().filter(two_sided).last().map(|x| x.strike));
    let (low, high) = low.zip(high).unwrap_or((0.9, 1.1));
    (0..COLUMNS).map(|i| low + (high - low) * i as f64 / (COLUMNS - 1) as f64).collect()
}

/// Quoted on both sides.
fn two_sided(series: &&Series) -> bool {
    series.vols.iter().all(Option::is_some)
}

/// A fitted expiry and its carry.
#[derive(Clone, Copy)]
struct Knot<'a> {
    fit: &'a FittedExpiry,
    slice: &'a ExpirySlice,
}

fn knots<'a>(slices: &'a [ExpirySlice], found: &'a FittedChain) -> Vec<Knot<'a>> {
    let of = |fit: &'a FittedExpiry| {
        slices.iter().find(|slice| slice.key == fit.key).map(|slice| Knot { fit, slice })
    };
    let all: Vec<Knot<'a>> = found.expiries.iter().filter_map(of).collect();
    // The last hours are another world: their wings would flatten everything else.
    let days: Vec<Knot<'a>> = all.iter().filter(|knot| knot.fit.years > 1.0 / 365.0).copied().collect();
    if days.len() < 2 { all } else { days }
}

/// A time between two expiries, `share` of the way.
struct Moment<'a> {
    years: f64,
    near: Knot<'a>,
    far: Knot<'a>,
    share: f64,
}

/// The expiries, and times between them in proportion to what lies between.
fn moments<'a>(knots: &[Knot<'a>]) -> Vec<Moment<'a>> {
    let ends = knots.first().zip(knots.last());
    let span = ends.map_or(0.0, |(first, last)| last.fit.years - first.fit.years);
    let mut moments = Vec::new();
    for pair in knots.windows(2) {
        let (near, far) = (pair[0], pair[1]);
        let gap = far.fit.years - near.fit.years;
        let count = (ROWS * gap / span).round().max(1.0);
        for i in 0..count as u32 {
            let share = f64::from(i) / count;
            moments.push(Moment { years: near.fit.years + share * gap, near, far, share });
        }
    }
    if let Some(last) = knots.last() {
        moments.push(Moment { years: last.fit.years, near: *last, far: *last, share: 1.0 });
    }
    moments
}

impl Moment<'_> {
    fn between(&self, near: f64, far: f64) -> f64 {
        near + self.share * (far - near)
    }

    fn forward(&self) -> f64 {
        self.between(self.near.fit.forward.ln(), self.far.fit.forward.ln()).exp()
    }

    fn vol(&self, k: f64) -> f64 {
        let (near, far) = (&self.near.fit.smile, &self.far.fit.smile);
        (self.between(near.total_variance(k), far.total_variance(k)) / self.years).sqrt()
    }

    fn inputs(&self, strike: f64, vol: f64) -> BsmInputs {
        let interest = |knot: &Knot<'_>| knot.slice.carry.rate * knot.fit.years;
        let rate = self.between(interest(&self.near), interest(&self.far)) / self.years;
        let spot = self.far.slice.spot;
        let dividend_yield = rate - (self.forward() / spot).ln() / self.years;
        BsmInputs { spot, strike, years: self.years, rate, dividend_yield, vol }
    }
}
