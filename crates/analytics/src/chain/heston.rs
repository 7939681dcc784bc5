//! The smile that a calibrated Heston or Bates model gives an expiry.

use onetape_pricing::heston::strip::{Accuracy, StrikeRange, Strip};
use onetape_pricing::heston::{Bates, Heston};
use onetape_pricing::iv::{ForwardQuote, black_vol};
use onetape_pricing::surface::{Smile, VarianceJet};
use onetape_pricing::{ModelError, Right};

/// A model of stochastic volatility.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StochasticVol {
    /// Heston's.
    Heston(Heston),
    /// Bates', with jumps.
    Bates(Bates),
}

impl StochasticVol {
    /// Names and values of the parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, f64)> {
        let (StochasticVol::Heston(m) | StochasticVol::Bates(Bates { heston: m, .. })) = self;
        let mut named =
            vec![("v0", m.v0), ("kappa", m.kappa), ("theta", m.theta), ("sigma", m.sigma), ("rho", m.rho)];
        if let StochasticVol::Bates(b) = self {
            named.extend([("intensity", b.intensity), ("jump_mean", b.jump_mean), ("jump_vol", b.jump_vol)]);
        }
        named
    }
}

/// Implied variance of such a model at one expiry; NaN where a price leaves no volatility.
#[derive(Debug, Clone)]
pub struct HestonSmile {
    /// The model.
    pub model: StochasticVol,
    years: f64,
    strip: Strip,
    range: (f64, f64),
}

/// Step of the differences in log-moneyness.
const STEP: f64 = 1e-3;

impl HestonSmile {
    /// The smile on log-moneynesses from `low` to `high`.
    pub(super) fn new(
        model: StochasticVol,
        years: f64,
        low: f64,
        high: f64,
    ) -> Result<HestonSmile, ModelError> {
        let range = (low - 3.0 * STEP, high + 3.0 * STEP);
        let strikes = StrikeRange { low: range.0, high: range.1 };
        let strip = match &model {
            StochasticVol::Heston(model) => Strip::heston(model, years, strikes, Accuracy::default())?,
            StochasticVol::Bates(model) => Strip::bates(model, years, strikes, Accuracy::default())?,
        };
        Ok(HestonSmile { model, years, strip, range })
    }

    fn variance(&self, k: f64) -> f64 {
        if !(self.range.0..=self.range.1).contains(&k) {
            return f64::NAN;
        }
        let mut price = [f64::NAN];
        if self.strip.out_of_the_money(&[k], &mut price).is_err() {
            return f64::NAN;
        }
        let right = if k >= 0.0 { Right::Call } else { Right::Put };
        let quote = ForwardQuote { price: price[0], forward: 1.0, strike: libm::exp(k), years: self.years };
        black_vol(&quote, right).map_or(f64::NAN, |vol| vol * vol * self.years)
    }
}

impl Smile for HestonSmile {
    fn jet(&self, k: f64) -> VarianceJet {
        let (down, w, up) = (self.variance(k - STEP), self.variance(k), self.variance(k + STEP));
        VarianceJet { w, dw: (up - down) / (2.0 * STEP), d2w: (up - 2.0 * w + down) / (STEP * STEP) }
    }
}
