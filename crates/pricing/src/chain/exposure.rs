//! Greeks added up, and the market makers' assumed gamma.
//!
//! **Assumption of dealer gamma exposure** (the naive convention): customers sell calls
//! and buy puts, so dealers are long call gamma and short put gamma. It is an
//! assumption about positioning, not a measurement; state it where the number is shown.

use crate::Right;
use crate::bsm::{BsmInputs, risk};
use crate::model_error::{ModelError, finite, positive};

/// Greeks of a position in trader units.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DollarGreeks {
    /// Shares-equivalent delta times spot: $ per 100 % move.
    pub delta: f64,
    /// Change of the dollar delta per 1 % move of the underlying.
    pub gamma_per_percent: f64,
    /// $ per volatility point (0.01).
    pub vega_per_point: f64,
    /// $ per calendar day.
    pub theta_per_day: f64,
    /// $ per 1 % of the interest rate.
    pub rho_per_percent: f64,
}

impl DollarGreeks {
    /// From per-unit Greeks (per 1.00 of volatility and rate, per year) of `units` of the
    /// underlying (contracts times multiplier, signed).
    #[must_use]
    pub fn new(risk: &crate::bsm::Risk, spot: f64, units: f64) -> Self {
        Self {
            delta: units * risk.delta * spot,
            gamma_per_percent: units * risk.gamma * spot * spot * 0.01,
            vega_per_point: units * risk.vega * 0.01,
            theta_per_day: units * risk.theta / 365.0,
            rho_per_percent: units * risk.rho * 0.01,
        }
    }

    /// Sum of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            delta: self.delta + other.delta,
            gamma_per_percent: self.gamma_per_percent + other.gamma_per_percent,
            vega_per_point: self.vega_per_point + other.vega_per_point,
            theta_per_day: self.theta_per_day + other.theta_per_day,
            rho_per_percent: self.rho_per_percent + other.rho_per_percent,
        }
    }
}

/// Sums by group (strike, expiry, underlying …), in ascending order of the group key.
#[must_use]
pub fn by_group<K: Ord + Copy>(parts: &[(K, DollarGreeks)]) -> Vec<(K, DollarGreeks)> {
    let mut sorted: Vec<(K, DollarGreeks)> = parts.to_vec();
    sorted.sort_by_key(|p| p.0);
    let mut sums: Vec<(K, DollarGreeks)> = Vec::new();
    for (key, greeks) in sorted {
        match sums.last_mut() {
            Some((last, sum)) if *last == key => *sum = sum.plus(&greeks),
            _ => sums.push((key, greeks)),
        }
    }
    sums
}

/// One series for dealer gamma.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenSeries {
    /// Market and contract; its spot is replaced by the spot under study.
    pub inputs: BsmInputs,
    /// Call or put.
    pub right: Right,
    /// Contracts open times multiplier.
    pub open_units: f64,
}

/// Dealer gamma exposure at a spot: $ of delta dealers must trade per 1 % move,
/// `sum ± gamma OI S^2 0.01`, positive where hedging dampens moves.
///
/// # Errors
/// [`ModelError`] when the spot is not positive or a series yields no finite gamma.
pub fn dealer_gamma(series: &[OpenSeries], spot: f64) -> Result<f64, ModelError> {
    positive("spot", spot)?;
    let mut sum = 0.0;
    for s in series {
        let inputs = BsmInputs { spot, ..s.inputs };
        let gamma = finite("gamma", risk(&inputs, s.right).gamma)?;
        sum += s.right.sign() * gamma * finite("open units", s.open_units)? * spot * spot * 0.01;
    }
    Ok(sum)
}

/// The spot nearest to `spot` at which dealer gamma changes sign within `±reach`
/// (a share of the spot), by scanning and bisection; `None` when it does not.
///
/// # Errors
/// As [`dealer_gamma`].
pub fn gamma_flip(series: &[OpenSeries], spot: f64, reach: f64) -> Result<Option<f64>, ModelError> {
    const STEPS: i32 = 100;
    let at = |i: i32| spot * (1.0 + reach * f64::from(i) / f64::from(STEPS));
    let mut values = Vec::new();
    for i in -STEPS..=STEPS {
        values.push(dealer_gamma(series, at(i))?);
    }
    let mut best: Option<f64> = None;
    for i in -STEPS..STEPS {
        let (mut low, mut high) = (at(i), at(i + 1));
        let below = values[(i + STEPS) as usize];
        let above = values[(i + STEPS + 1) as usize];
        if below == 0.0 || (below > 0.0) == (above > 0.0) {
            continue;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if (dealer_gamma(series, middle)? > 0.0) == (below > 0.0) { low = middle } else { high = middle }
        }
        if best.is_none_or(|b| (low - spot).abs() < (b - spot).abs()) {
            best = Some(low);
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(strike: f64, right: Right, open_units: f64) -> OpenSeries {
        let inputs = BsmInputs { spot: 100.0, strike, years: 0.1, rate: 0.0, dividend_yield: 0.0, vol: 0.2 };
        OpenSeries { inputs, right, open_units }
    }

    #[test]
    fn puts_below_and_calls_above_flip_between_them() {
        let series = [open(90.0, Right::Put, 1000.0), open(110.0, Right::Call, 1000.0)];
        assert!(dealer_gamma(&series, 112.0).unwrap() > 0.0);
        assert!(dealer_gamma(&series, 88.0).unwrap() < 0.0);
        let flip = gamma_flip(&series, 100.0, 0.2).unwrap().unwrap();
        assert!((95.0..105.0).contains(&flip) && dealer_gamma(&series, flip).unwrap().abs() < 1e-6);
        assert_eq!(gamma_flip(&series[1..], 100.0, 0.2).unwrap(), None);
        assert!(dealer_gamma(&series, f64::NAN).is_err());
    }

    #[test]
    fn units_of_a_trader() {
        let inputs =
            BsmInputs { spot: 100.0, strike: 100.0, years: 0.25, rate: 0.02, dividend_yield: 0.0, vol: 0.2 };
        let per_unit = risk(&inputs, Right::Call);
        let position = DollarGreeks::new(&per_unit, 100.0, -500.0);
        assert!((position.vega_per_point - -5.0 * per_unit.vega).abs() < 1e-12);
        assert!((position.gamma_per_percent - -500.0 * per_unit.gamma * 100.0).abs() < 1e-9);
        let sums = by_group(&[(2, position), (1, position), (2, position)]);
        assert_eq!(sums.iter().map(|s| s.0).collect::<Vec<_>>(), [1, 2]);
        assert!((sums[1].1.delta - 2.0 * position.delta).abs() < 1e-9);
    }
}
