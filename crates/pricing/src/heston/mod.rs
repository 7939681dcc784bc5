//! Heston's stochastic volatility model and Bates' model with jumps.
//!
//! `dS = (r - q) S dt + sqrt(v) S dW`, `dv = kappa (theta - v) dt + sigma sqrt(v) dZ`,
//! `dW dZ = rho dt` (Heston, Review of Financial Studies 6(2), 1993). Bates (1996)
//! adds independent normal jumps of the log-price at a Poisson rate.
//!
//! | module | what |
//! |---|---|
//! | [`exponent`] | characteristic exponents in the form without branch cuts, analytic derivatives, moments |
//! | [`strip`] | all strikes of one expiry from one set of characteristic-function values; prices and Greeks |
//! | `contour` | one strike on a tilted contour, where the characteristic function decays slowly |
//! | [`cos`] | the COS method of Fang & Oosterlee, an independent second engine |
//! | [`calibrate`] | fit to market volatilities with analytic derivatives |
//!
//! ```
//! use onetape_pricing::{Right, heston::{Heston, Market}};
//! // Reference price of A. Lewis: 16.070154917028834278213.
//! let model = Heston { v0: 0.04, kappa: 4.0, theta: 0.25, sigma: 1.0, rho: -0.5 };
//! let market = Market { spot: 100.0, rate: 0.01, dividend_yield: 0.02 };
//! let price = model.price(&market, 100.0, 1.0, Right::Call)?;
//! assert!((price - 16.070_154_917_028_834).abs() < 1e-12);
//! # Ok::<(), onetape_pricing::ModelError>(())
//! ```

pub mod calibrate;
mod contour;
mod contour_greeks;
pub mod cos;
pub mod exponent;
pub mod strip;

use crate::Right;
use crate::model_error::{ModelError, finite, in_range, non_negative, positive};
use strip::{Accuracy, Strip};

/// Heston parameters; time in years, variances per year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heston {
    /// Variance today, >= 0.
    pub v0: f64,
    /// Speed of mean reversion, >= 0.
    pub kappa: f64,
    /// Long-run variance, >= 0.
    pub theta: f64,
    /// Volatility of variance, >= 0.
    pub sigma: f64,
    /// Correlation of spot and variance in [-1, 1].
    pub rho: f64,
}

/// Heston with lognormal jumps: at rate `intensity` the log-price moves by a normal
/// variable with mean `jump_mean` and standard deviation `jump_vol`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bates {
    /// The diffusive part.
    pub heston: Heston,
    /// Expected jumps per year, >= 0.
    pub intensity: f64,
    /// Mean of the log-jump.
    pub jump_mean: f64,
    /// Standard deviation of the log-jump, >= 0.
    pub jump_vol: f64,
}

/// Spot and carry shared by the strikes of an expiry; rates continuously compounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Market {
    /// Price of the underlying, > 0.
    pub spot: f64,
    /// Interest rate per year.
    pub rate: f64,
    /// Dividend yield per year.
    pub dividend_yield: f64,
}

impl Market {
    /// Forward price of the underlying at `t` years.
    #[must_use]
    pub fn forward(&self, t: f64) -> f64 {
        self.spot * libm::exp((self.rate - self.dividend_yield) * t)
    }

    /// Discount factor to `t` years.
    #[must_use]
    pub fn discount(&self, t: f64) -> f64 {
        libm::exp(-self.rate * t)
    }

    pub(crate) fn validate(&self) -> Result<(), ModelError> {
        positive("spot", self.spot)?;
        finite("rate", self.rate)?;
        finite("dividend yield", self.dividend_yield)?;
        Ok(())
    }
}

/// What the Feller condition says about a parameter set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FellerReport {
    /// `2 kappa theta / sigma^2`.
    pub ratio: f64,
    /// Whether the variance stays positive (`ratio >= 1`).
    pub holds: bool,
}

impl Heston {
    /// Checks the domain.
    ///
    /// # Errors
    /// [`ModelError`] naming the first parameter out of its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        non_negative("Heston v0", self.v0)?;
        non_negative("Heston kappa", self.kappa)?;
        non_negative("Heston theta", self.theta)?;
        non_negative("Heston sigma", self.sigma)?;
        in_range("Heston rho", self.rho, "in [-1, 1]", |r| r.abs() <= 1.0)?;
        Ok(())
    }

    /// The Feller condition `2 kappa theta >= sigma^2`. Prices are correct either way;
    /// simulation schemes lose accuracy when it fails.
    #[must_use]
    pub fn feller(&self) -> FellerReport {
        let ratio = 2.0 * self.kappa * self.theta / (self.sigma * self.sigma);
        FellerReport { ratio, holds: ratio >= 1.0 }
    }

    /// Expected variance integrated to `t`, the fair total variance of a variance swap.
    #[must_use]
    pub fn expected_total_variance(&self, t: f64) -> f64 {
        let x = self.kappa * t;
        // (1 - e^-x)/x, whose limit at zero is one.
        let weight = if x.abs() > 1e-12 { -libm::expm1(-x) / x } else { 1.0 };
        t * (self.theta + (self.v0 - self.theta) * weight)
    }

    /// Price of one European option per unit of the underlying.
    ///
    /// For several strikes of an expiry build a [`Strip`] once.
    ///
    /// # Errors
    /// [`ModelError`] for arguments out of range or an integral that does not converge.
    pub fn price(&self, market: &Market, strike: f64, t: f64, right: Right) -> Result<f64, ModelError> {
        positive("strike", strike)?;
        market.validate()?;
        let strip = Strip::heston(self, t, strike_range(market, t, strike)?, Accuracy::default())?;
        strip.price(market, strike, right)
    }
}

impl Bates {
    /// Checks the domain.
    ///
    /// # Errors
    /// [`ModelError`] naming the first parameter out of its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        self.heston.validate()?;
        non_negative("Bates intensity", self.intensity)?;
        finite("Bates jump mean", self.jump_mean)?;
        non_negative("Bates jump volatility", self.jump_vol)?;
        Ok(())
    }

    /// Price of one European option per unit of the underlying.
    ///
    /// # Errors
    /// As [`Heston::price`].
    pub fn price(&self, market: &Market, strike: f64, t: f64, right: Right) -> Result<f64, ModelError> {
        positive("strike", strike)?;
        market.validate()?;
        let strip = Strip::bates(self, t, strike_range(market, t, strike)?, Accuracy::default())?;
        strip.price(market, strike, right)
    }
}

fn strike_range(market: &Market, t: f64, strike: f64) -> Result<strip::StrikeRange, ModelError> {
    non_negative("T", t)?;
    let x = finite("log-moneyness", libm::log(strike / market.forward(t)))?;
    Ok(strip::StrikeRange { low: x, high: x })
}
