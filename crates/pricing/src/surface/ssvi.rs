//! Surface SVI (SSVI) with the power-law `phi` that bounds both wings.
//!
//! `w(k, theta) = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2))`,
//! `phi(theta) = eta / (theta^gamma (1 + theta)^(1 - gamma))`
//! (Gatheral & Jacquier 2014, eq. 4.1 and 4.5), `theta` the at-the-money total
//! variance of the expiry.

use super::svi::{NaturalSvi, one_minus_square};
use super::{Smile, VarianceJet};
use crate::model_error::{ModelError, in_range, is_non_negative, is_positive, positive};

/// The parameters shared by all expiries of an SSVI surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ssvi {
    /// Correlation in (-1, 1).
    pub rho: f64,
    /// Level of `phi`, > 0.
    pub eta: f64,
    /// Decay of `phi` in `theta`, in [0, 1].
    pub gamma: f64,
}

/// One expiry of an SSVI surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SsviSlice {
    /// Correlation in (-1, 1).
    pub rho: f64,
    /// At-the-money total variance.
    pub theta: f64,
    /// Curvature `phi(theta)`.
    pub phi: f64,
}

/// At-the-money total variance and its derivative in time at one expiry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AtmVariance {
    /// `theta(T)`.
    pub theta: f64,
    /// `d theta/dT` per year.
    pub slope: f64,
}

impl Ssvi {
    /// Checks the domain.
    ///
    /// # Errors
    /// [`ModelError`] naming the first parameter out of its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        in_range("SSVI rho", self.rho, "in (-1, 1)", |r| r.abs() < 1.0)?;
        positive("SSVI eta", self.eta)?;
        in_range("SSVI gamma", self.gamma, "in [0, 1]", |g| (0.0..=1.0).contains(&g))?;
        Ok(())
    }

    /// `phi(theta)`.
    #[must_use]
    pub fn phi(&self, theta: f64) -> f64 {
        self.eta / libm::exp(self.gamma * libm::log(theta) + (1.0 - self.gamma) * libm::log1p(theta))
    }

    /// The slice at at-the-money total variance `theta`.
    ///
    /// # Errors
    /// [`ModelError`] when a parameter or `theta` is out of range.
    pub fn slice(&self, theta: f64) -> Result<SsviSlice, ModelError> {
        self.validate()?;
        positive("SSVI theta", theta)?;
        Ok(SsviSlice { rho: self.rho, theta, phi: self.phi(theta) })
    }

    /// `dw/d theta` at fixed `k`.
    #[must_use]
    pub fn variance_slope_in_theta(&self, k: f64, theta: f64) -> f64 {
        let phi = self.phi(theta);
        let slice = SsviSlice { rho: self.rho, theta, phi };
        // d ln phi / d ln theta
        let elasticity = -self.gamma - (1.0 - self.gamma) * theta / (1.0 + theta);
        let shifted = phi * k + self.rho;
        let root = (shifted * shifted + one_minus_square(self.rho)).sqrt();
        slice.total_variance(k) / theta + 0.5 * phi * elasticity * k * (self.rho + shifted / root)
    }

    /// Dupire local volatility `sqrt((dw/dT) / g)` (Gatheral & Jacquier 2014, section 2;
    /// Gatheral 2006, eq. 1.10) at log-moneyness `k` of the forward.
    ///
    /// # Errors
    /// [`ModelError::Arbitrage`] where `dw/dT < 0` or `g <= 0`; [`ModelError`] for
    /// parameters out of range.
    pub fn local_vol(&self, k: f64, atm: AtmVariance) -> Result<f64, ModelError> {
        let slice = self.slice(atm.theta)?;
        let in_time = self.variance_slope_in_theta(k, atm.theta) * atm.slope;
        let g = slice.jet(k).durrleman(k);
        if !is_non_negative(in_time) || !is_positive(g) {
            return Err(ModelError::Arbitrage { what: "local volatility", k });
        }
        Ok((in_time / g).sqrt())
    }
}

impl SsviSlice {
    /// Whether the sufficient conditions against butterfly arbitrage hold:
    /// `theta phi (1 + |rho|) < 4` and `theta phi^2 (1 + |rho|) <= 4`
    /// (Gatheral & Jacquier 2014, theorem 4.2).
    #[must_use]
    pub fn is_surely_butterfly_free(&self) -> bool {
        let tilt = 1.0 + self.rho.abs();
        self.theta * self.phi * tilt < 4.0 && self.theta * self.phi * self.phi * tilt <= 4.0
    }

    /// The same slice in natural SVI parameters (`delta = mu = 0`).
    #[must_use]
    pub fn natural(&self) -> NaturalSvi {
        NaturalSvi { delta: 0.0, mu: 0.0, rho: self.rho, omega: self.theta, zeta: self.phi }
    }
}

impl Smile for SsviSlice {
    fn jet(&self, k: f64) -> VarianceJet {
        let rest = one_minus_square(self.rho);
        let x = self.phi * k;
        let shifted = x + self.rho;
        let root = (shifted * shifted + rest).sqrt();
        let tilt = 1.0 + self.rho * x;
        // root^2 - tilt^2 = (1 - rho^2) x^2: the product form keeps digits when tilt < 0.
        let bowl = if tilt < 0.0 { rest * x * x / (root - tilt) } else { tilt + root };
        let half = 0.5 * self.theta;
        VarianceJet {
            w: half * bowl,
            dw: half * self.phi * (self.rho + shifted / root),
            d2w: half * self.phi * self.phi * rest / (root * root * root),
        }
    }
}

/// Whether the far slice lies on or above the near one at every strike, scanned on
/// log-moneyness out to 200 curvature lengths plus the wings' slopes.
#[must_use]
pub fn is_calendar_free(near: &SsviSlice, far: &SsviSlice) -> bool {
    let (n, f) = (near.natural().raw().wing_slopes(), far.natural().raw().wing_slopes());
    let unit = 1.0 / near.phi.max(far.phi);
    let is_above = |k: f64| far.total_variance(k) >= near.total_variance(k) * (1.0 - 1e-14);
    let tolerance = 1.0 - 1e-12;
    f.0 >= n.0 * tolerance
        && f.1 >= n.1 * tolerance
        && (-200..=200).all(|i| is_above(unit * libm::sinh(f64::from(i) * 0.03)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn matches_a_fifty_digit_row() {
        // mpmath: rho -0.7388, eta 2.0644, gamma 0.3937, atm vol 0.202 with slope 0.0248, T 1.3595.
        let (t, k) = (1.3595, 0.13086);
        let surface = Ssvi { rho: -0.7388, eta: 2.0644, gamma: 0.3937 };
        let atm = AtmVariance {
            theta: 0.202 * 0.202 * t + 0.0248 * t * t / 2.0,
            slope: 0.202 * 0.202 + 0.0248 * t,
        };
        let slice = surface.slice(atm.theta).unwrap();
        assert!((slice.phi - 5.373_391_399_931_15).abs() < 1e-13);
        assert!((slice.total_variance(k) - 0.045_285_441_722_545_19).abs() < 1e-15);
        assert!((slice.jet(k).durrleman(k) - 2.220_742_105_200_625).abs() < 1e-12);
        assert!((surface.local_vol(k, atm).unwrap() - 0.153_210_109_337_054_7).abs() < 1e-13);
    }

    proptest! {
        #[test]
        fn slice_equals_its_natural_and_raw_form(
            rho in -0.95..0.95f64, eta in 0.1..3.0f64, gamma in 0.05..0.95f64, theta in 0.001..1.0f64, k in -2.0..2.0f64,
        ) {
            let slice = Ssvi { rho, eta, gamma }.slice(theta).unwrap();
            let raw = slice.natural().raw().jet(k);
            let own = slice.jet(k);
            prop_assert!((raw.w - own.w).abs() < 1e-12 * (1.0 + own.w));
            prop_assert!((raw.dw - own.dw).abs() < 1e-11 * (1.0 + own.dw.abs()));
            prop_assert!((slice.total_variance(0.0) - theta).abs() < 1e-14);
        }

        #[test]
        fn sufficient_condition_implies_non_negative_density(
            rho in -0.95..0.95f64, eta in 0.1..2.0f64, gamma in 0.05..0.95f64, theta in 0.001..1.0f64,
        ) {
            let slice = Ssvi { rho, eta, gamma }.slice(theta).unwrap();
            prop_assume!(slice.is_surely_butterfly_free());
            for i in -60..=60 {
                let k = i as f64 * 0.05;
                prop_assert!(slice.jet(k).durrleman(k) >= -1e-9);
            }
        }

        #[test]
        fn any_number_is_survived(p in prop::array::uniform6(prop::num::f64::ANY)) {
            let surface = Ssvi { rho: p[0], eta: p[1], gamma: p[2] };
            let _ = (surface.slice(p[3]), surface.local_vol(p[4], AtmVariance { theta: p[3], slope: p[5] }));
        }
    }
}
