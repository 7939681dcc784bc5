//! Implied-volatility smiles and surfaces: formulas, fits, arbitrage checks and repair.
//!
//! Everything is written in **log-moneyness** `k = ln(K/F)` (F the forward of the
//! expiry) and **total implied variance** `w = sigma_implied^2 * T`.
//!
//! | module | model | source |
//! |---|---|---|
//! | [`svi`] | SVI slice: raw, natural and jump-wing parameters | Gatheral & Jacquier (2014) |
//! | [`ssvi`] | surface SVI with a power-law `phi` | Gatheral & Jacquier (2014), section 4 |
//! | [`sabr`] | SABR lognormal and normal expansions | Hagan et al. (2002) |
//! | [`fit`] | SVI fits free of arbitrage, with repair | Zeliade (2009), Gatheral & Jacquier (2014) |
//! | [`compare`] | SABR and SSVI fits, models side by side | |
//! | [`local`] | surfaces in time, Dupire local volatility | Gatheral (2006) |
//!
//! [`VarianceJet`] carries a slice's value and two derivatives; from it follow
//! Durrleman's function `g` (butterfly arbitrage), the risk-neutral density and,
//! with the derivative in `T`, Dupire's local variance.

pub mod compare;
pub mod fit;
pub mod local;
pub mod sabr;
pub mod ssvi;
pub mod svi;

use core::f64::consts::PI;

/// Total implied variance of a slice at one log-moneyness with its first two
/// derivatives in `k`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarianceJet {
    /// `w(k)`, dimensionless.
    pub w: f64,
    /// `dw/dk`.
    pub dw: f64,
    /// `d2w/dk2`.
    pub d2w: f64,
}

impl VarianceJet {
    /// Durrleman's function
    /// `g = (1 - k w'/(2w))^2 - w'^2/4 (1/w + 1/4) + w''/2`
    /// (Gatheral & Jacquier 2014, eq. 2.1). A slice has no butterfly arbitrage
    /// exactly when `g >= 0` everywhere and call prices vanish at infinite strike.
    #[must_use]
    pub fn durrleman(&self, k: f64) -> f64 {
        let tilt = 1.0 - k * self.dw / (2.0 * self.w);
        tilt * tilt - 0.25 * self.dw * self.dw * (1.0 / self.w + 0.25) + 0.5 * self.d2w
    }

    /// Risk-neutral density of `k = ln(S_T/F)` implied by the slice (Gatheral &
    /// Jacquier 2014, eq. 2.2); negative where the slice admits a butterfly.
    #[must_use]
    pub fn density(&self, k: f64) -> f64 {
        let root = self.w.sqrt();
        let d_minus = -k / root - 0.5 * root;
        self.durrleman(k) * libm::exp(-0.5 * d_minus * d_minus) / (2.0 * PI * self.w).sqrt()
    }
}

/// A smile of one expiry as a twice differentiable function of log-moneyness.
pub trait Smile {
    /// Total implied variance with two derivatives at log-moneyness `k`.
    fn jet(&self, k: f64) -> VarianceJet;

    /// Total implied variance at `k`.
    fn total_variance(&self, k: f64) -> f64 {
        self.jet(k).w
    }

    /// Black implied volatility (per 1.00, per square-root year) at `k` for a time
    /// to expiry of `t` years; NaN where the variance is negative or `t <= 0`.
    fn implied_vol(&self, k: f64, t: f64) -> f64 {
        (self.total_variance(k) / t).sqrt()
    }
}
