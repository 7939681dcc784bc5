//! The term structure of a chain: volatility, expected moves, variance swaps and forwards by expiry.

use super::report::smile;
use super::slice::ExpirySlice;
use super::snapshot::ExpiryKey;
use onetape_pricing::Right;
use onetape_pricing::chain::skew::skew;
use onetape_pricing::vol::expected_move::{StraddleQuotes, from_straddle, from_vol};
use onetape_pricing::vol::term::{TermPoint, constant_maturity, forward_vol};
use onetape_pricing::vol::variance_swap::fair_variance_of_smile;

/// One expiry; `None` where its quotes do not determine a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct TermRow {
    /// Date and class root.
    pub key: ExpiryKey,
    /// Years to expiry.
    pub years: f64,
    /// Forward.
    pub forward: f64,
    /// At-the-money-forward volatility.
    pub atm_vol: Option<f64>,
    /// Volatility between the expiry before and this one.
    pub forward_vol: Option<f64>,
    /// Fair volatility of a variance swap: the fitted smile's log contract.
    pub variance_swap_vol: Option<f64>,
    /// One standard deviation, S σ √T.
    pub move_by_vol: Option<f64>,
    /// 0.6 straddle + 0.3 first strangle + 0.1 second, at midpoints.
    pub move_by_straddle: Option<f64>,
    /// Volatility of the 25-delta call less the put's.
    pub risk_reversal: Option<f64>,
}

/// A chain's term structure.
#[derive(Debug, Clone, PartialEq)]
pub struct TermStructure {
    /// By expiry, ascending.
    pub rows: Vec<TermRow>,
    /// At-the-money volatility of (days) by total variance between the expiries around them.
    pub constant: Vec<(f64, Option<f64>)>,
}

/// Days of the constant maturities.
pub const MATURITIES: [f64; 5] = [9.0, 30.0, 60.0, 90.0, 180.0];

/// The term structure of the expiries of one underlying, in ascending order of time.
#[must_use]
pub fn term_structure(slices: &[ExpirySlice]) -> TermStructure {
    let mut rows: Vec<TermRow> = Vec::new();
    let mut points: Vec<TermPoint> = Vec::new();
    for slice in slices {
        let (fit, atm_vol) = (smile(slice), slice.atm_vol());
        let here = atm_vol.map(|vol| TermPoint { years: slice.years, vol });
        let swap = fit.as_ref().and_then(|fit| fair_variance_of_smile(&fit.slice, slice.years).ok());
        let near = points.last().copied().filter(|near| near.years < slice.years);
        rows.push(TermRow {
            key: slice.key.clone(),
            years: slice.years,
            forward: slice.carry.forward.forward,
            atm_vol,
            forward_vol: near.zip(here).and_then(|(near, here)| forward_vol(near, here)),
            variance_swap_vol: swap.map(f64::sqrt),
            move_by_vol: atm_vol.and_then(|vol| from_vol(slice.spot, vol, slice.years * 365.0).ok()),
            move_by_straddle: straddle(slice).and_then(|quotes| from_straddle(&quotes).ok()),
            risk_reversal: fit
                .and_then(|fit| skew(&fit.slice, slice.years, 0.25).ok())
                .map(|skew| skew.risk_reversal),
        });
        points.extend(here.filter(|here| near.is_none_or(|near| here.years > near.years)));
    }
    let maturity = |days: f64| (days, constant_maturity(&points, days / 365.0).ok());
    TermStructure { rows, constant: MATURITIES.map(maturity).to_vec() }
}

/// Midpoints of the strike nearest to the forward and of the two strikes on each side.
fn straddle(slice: &ExpirySlice) -> Option<StraddleQuotes> {
    let mut strikes: Vec<f64> = slice.series.iter().map(|series| series.strike).collect();
    strikes.dedup();
    let forward = slice.carry.forward.forward;
    let near = |a: &usize, b: &usize| (strikes[*a] - forward).abs().total_cmp(&(strikes[*b] - forward).abs());
    let at = (0..strikes.len()).min_by(near)?;
    let mid = |n: usize, right| slice.find(*strikes.get(n)?, right)?.mid();
    let strangle = |n: usize| Some(mid(at + n, Right::Call)? + mid(at.checked_sub(n)?, Right::Put)?);
    Some(StraddleQuotes {
        straddle: strangle(0)?,
        first_strangle: strangle(1)?,
        second_strangle: strangle(2)?,
    })
}

/// How well calls and puts of an expiry agree on one forward: strikes whose call and put bands of
/// volatility overlap, of those that have both.
#[must_use]
pub fn call_put_agreement(slice: &ExpirySlice) -> (usize, usize) {
    let (mut agree, mut both) = (0, 0);
    for call in slice.series.iter().filter(|series| series.right == Right::Call) {
        let Some(put) = slice.find(call.strike, Right::Put) else { continue };
        if let ([Some(a), _, Some(b)], [Some(c), _, Some(d)]) = (call.vols, put.vols) {
            both += 1;
            agree += usize::from(a <= d && c <= b);
        }
    }
    (agree, both)
}
