//! Greeks added up, and the market makers' assumed gamma.
//!
//! **Assumption of dealer gamma exposure** (the naive convention): customers sell calls
//! and buy puts, so dealers are long call gamma and short put gamma. It is an
//! assumption about positioning, not a measurement; state it where the number is shown.

use crate::Right;
use crate::chain::live::ChainPricer;
use crate::model_error::{ModelError, finite, in_range, positive, same_length};

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

/// Dealer gamma exposure by series of a chain at its present spot: $ of delta dealers must trade per 1 % move,
/// `± gamma OI S^2 0.01`, positive where hedging dampens moves. `open_units` are contracts open times
/// multiplier, one per series; a series with none needs no volatility.
///
/// # Errors
/// [`ModelError`] when there is not one entry per series, or a series with open units yields no finite gamma.
pub fn dealer_gammas(chain: &ChainPricer, open_units: &[f64]) -> Result<Vec<f64>, ModelError> {
    same_length("series and open units", chain.len(), open_units.len())?;
    let spot = positive("spot", chain.spot())?;
    let scale = spot * spot * 0.01;
    let series = chain.gammas().iter().zip(chain.rights()).zip(open_units);
    let part = |((gamma, right), units): ((&f64, &Right), &f64)| {
        if *units == 0.0 {
            return Ok(0.0);
        }
        Ok(right.sign() * finite("gamma", *gamma)? * finite("open units", *units)? * scale)
    };
    series.map(part).collect()
}

/// The spot nearest to the chain's at which the sum of [`dealer_gammas`] changes sign within `±reach` (a share
/// of the spot), by scanning and bisection; `None` when it does not. The chain is marked at its spot again
/// afterwards. Volatilities stick to their strikes.
///
/// # Errors
/// As [`dealer_gammas`], and for a `reach` outside (0, 1).
pub fn gamma_flip(
    chain: &mut ChainPricer,
    open_units: &[f64],
    reach: f64,
) -> Result<Option<f64>, ModelError> {
    in_range("reach", reach, "between 0 and 1", |r| r > 0.0 && r < 1.0)?;
    let spot = positive("spot", chain.spot())?;
    let found = nearest_flip(chain, open_units, spot, reach);
    chain.mark(spot);
    found
}

fn nearest_flip(
    chain: &mut ChainPricer,
    open_units: &[f64],
    spot: f64,
    reach: f64,
) -> Result<Option<f64>, ModelError> {
    const STEPS: i32 = 100;
    let mut total = |at: f64| {
        chain.mark(at);
        Ok::<f64, ModelError>(dealer_gammas(chain, open_units)?.iter().sum())
    };
    let at = |i: i32| spot * (1.0 + reach * f64::from(i) / f64::from(STEPS));
    let mut values = Vec::new();
    for i in -STEPS..=STEPS {
        values.push(total(at(i))?);
    }
    let mut best: Option<f64> = None;
    for i in -STEPS..STEPS {
        let (mut low, mut high) = (at(i), at(i + 1));
        let below = values[(i + STEPS) as usize];
        let above = values[(i + STEPS + 1) as usize];
        if below == 0.0 || (below > 0.0) == (above > 0.0) {
            continue;
        }
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if (total(middle)? > 0.0) == (below > 0.0) { low = middle } else { high = middle }
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
    use crate::bsm::{BsmInputs, risk};
    use crate::chain::live::{ExpirySeries, ExpiryTerms};
    use crate::finite_difference::Exercise;

    fn chain(exercise: Exercise, vols: &[f64]) -> ChainPricer {
        let terms = ExpiryTerms { years: 0.1, rate: 0.03, dividend_yield: 0.01 };
        let (strike, right) = (&[90.0, 110.0], &[Right::Put, Right::Call]);
        let mut chain = ChainPricer::new(100.0, &[ExpirySeries { terms, exercise, strike, right }]).unwrap();
        vols.iter().enumerate().for_each(|(i, vol)| chain.set_vol(i, *vol).unwrap());
        chain
    }

    fn total(chain: &ChainPricer, open_units: &[f64]) -> f64 {
        dealer_gammas(chain, open_units).unwrap().iter().sum()
    }

    #[test]
    fn puts_below_and_calls_above_flip_between_them() {
        for exercise in [Exercise::European, Exercise::American] {
            let mut chain = chain(exercise, &[0.2, 0.2]);
            let open = [1000.0, 1000.0];
            let marked = chain.risk(0);
            let flip = gamma_flip(&mut chain, &open, 0.2).unwrap().unwrap();
            assert_eq!((chain.spot(), chain.risk(0)), (100.0, marked));
            chain.mark(flip);
            assert!((95.0..105.0).contains(&flip) && total(&chain, &open).abs() < 1e-3);
            chain.mark(112.0);
            assert!(total(&chain, &open) > 0.0);
            chain.mark(88.0);
            assert!(total(&chain, &open) < 0.0);
            assert_eq!(gamma_flip(&mut chain, &[0.0, 1000.0], 0.2).unwrap(), None);
        }
    }

    #[test]
    fn dealer_gamma_is_that_of_the_series_own_greeks() {
        let chain = chain(Exercise::American, &[0.25, 0.2]);
        let found = dealer_gammas(&chain, &[-300.0, 200.0]).unwrap();
        let put = DollarGreeks::new(&chain.risk(0), 100.0, -300.0).gamma_per_percent;
        let call = DollarGreeks::new(&chain.risk(1), 100.0, 200.0).gamma_per_percent;
        assert!((found[0] + put).abs() < 1e-12 && (found[1] - call).abs() < 1e-12);
    }

    #[test]
    fn what_has_no_gamma_is_an_error_where_it_is_open() {
        let mut chain = chain(Exercise::European, &[0.2]);
        assert!(dealer_gammas(&chain, &[1.0]).is_err());
        assert!(dealer_gammas(&chain, &[1.0, 1.0]).is_err());
        assert_eq!(dealer_gammas(&chain, &[1.0, 0.0]).unwrap()[1], 0.0);
        assert!(gamma_flip(&mut chain, &[1.0, 0.0], f64::NAN).is_err());
        chain.mark(f64::NAN);
        assert!(dealer_gammas(&chain, &[1.0, 0.0]).is_err());
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
