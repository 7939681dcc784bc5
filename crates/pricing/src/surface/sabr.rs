//! SABR: Hagan's lognormal and normal volatility expansions.
//!
//! Hagan, Kumar, Lesniewski & Woodward, "Managing smile risk", Wilmott (2002),
//! eq. 2.17a (Black volatility) and eq. 2.18 with the normal expansion of
//! appendix B. The expansions are asymptotic in `nu^2 T`: for long expiries, far
//! strikes or large `nu` the implied density can turn negative; check it with
//! [`super::VarianceJet`] or the chain checks before relying on it.
//!
//! Near the money the formulas' quotients (`z/x(z)`, `ln(F/K)/(F - K)` …) are
//! written with `log1p`/`expm1`, so that they are exact to rounding without a
//! switch to a series.

use super::svi::one_minus_square;
use crate::model_error::{ModelError, finite, in_range, is_positive, non_negative, positive};

/// SABR parameters of one expiry: `dF = alpha F^beta dW`, `d alpha = nu alpha dZ`,
/// `dW dZ = rho dt`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sabr {
    /// Initial volatility, > 0, in units of `F^(1-beta)` per square-root year.
    pub alpha: f64,
    /// Elasticity in [0, 1].
    pub beta: f64,
    /// Volatility of volatility, >= 0, per square-root year.
    pub nu: f64,
    /// Correlation in (-1, 1).
    pub rho: f64,
}

impl Sabr {
    /// Checks the domain.
    ///
    /// # Errors
    /// [`ModelError`] naming the first parameter out of its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        positive("SABR alpha", self.alpha)?;
        in_range("SABR beta", self.beta, "in [0, 1]", |b| (0.0..=1.0).contains(&b))?;
        non_negative("SABR nu", self.nu)?;
        in_range("SABR rho", self.rho, "in (-1, 1)", |r| r.abs() < 1.0)?;
        Ok(())
    }

    /// Black implied volatility by eq. 2.17a for forward `f`, strike `k`, expiry `t` years.
    ///
    /// # Errors
    /// [`ModelError`] when a parameter, `f`, `k` (> 0) or `t` (>= 0) is out of range, or
    /// when the expansion overflows.
    pub fn black_vol(&self, f: f64, k: f64, t: f64) -> Result<f64, ModelError> {
        self.validate()?;
        positive("forward", f)?;
        positive("strike", k)?;
        non_negative("T", t)?;
        finite("SABR volatility", self.black_vol_unchecked(f, k, t))
    }

    /// Eq. 2.17a without domain checks; NaN or infinite outside the domain.
    #[must_use]
    pub fn black_vol_unchecked(&self, f: f64, k: f64, t: f64) -> f64 {
        let one_beta = 1.0 - self.beta;
        let log_fk = log_ratio(f, k);
        // (F K)^((1 - beta)/2)
        let scale = libm::exp(0.5 * one_beta * (libm::log(f) + libm::log(k)));
        let z = self.nu / self.alpha * scale * log_fk;
        let u = one_beta * one_beta * log_fk * log_fk;
        let denominator = scale * (1.0 + u / 24.0 + u * u / 1920.0);
        self.alpha / denominator * z_over_x(z, self.rho) * (1.0 + self.time_correction(scale) * t)
    }

    /// Normal (Bachelier) implied volatility, in price units per square-root year:
    /// the expansion of appendix B (eq. B.67a) for positive `f` and `k`.
    ///
    /// # Errors
    /// As [`Sabr::black_vol`].
    pub fn normal_vol(&self, f: f64, k: f64, t: f64) -> Result<f64, ModelError> {
        self.validate()?;
        positive("forward", f)?;
        positive("strike", k)?;
        non_negative("T", t)?;
        let one_beta = 1.0 - self.beta;
        let log_fk = log_ratio(f, k);
        let scale = libm::exp(0.5 * one_beta * (libm::log(f) + libm::log(k)));
        let z = self.nu / self.alpha * scale * log_fk;
        let l2 = log_fk * log_fk;
        let u = one_beta * one_beta * l2;
        let beta_scale = libm::exp(0.5 * self.beta * (libm::log(f) + libm::log(k)));
        let shape = (1.0 + l2 / 24.0 + l2 * l2 / 1920.0) / (1.0 + u / 24.0 + u * u / 1920.0);
        let curvature = -self.beta * (2.0 - self.beta) * self.alpha * self.alpha / (24.0 * scale * scale);
        let mixed = 0.25 * self.rho * self.alpha * self.nu * self.beta / scale;
        let vol_of_vol = (2.0 - 3.0 * self.rho * self.rho) * self.nu * self.nu / 24.0;
        finite(
            "SABR normal volatility",
            self.alpha
                * beta_scale
                * shape
                * z_over_x(z, self.rho)
                * (1.0 + (curvature + mixed + vol_of_vol) * t),
        )
    }

    /// Bracket of eq. 2.17a multiplying `T`, per year.
    fn time_correction(&self, scale: f64) -> f64 {
        let one_beta = 1.0 - self.beta;
        let level = self.alpha / scale;
        one_beta * one_beta * level * level / 24.0
            + 0.25 * self.rho * self.beta * self.nu * level
            + (2.0 - 3.0 * self.rho * self.rho) * self.nu * self.nu / 24.0
    }

    /// The `alpha` that reproduces an at-the-money Black volatility for given
    /// `beta`, `nu`, `rho`: smallest positive root of the cubic of Hagan et al.
    /// (2002), eq. 3.1b, by safeguarded Newton from the flat-smile value.
    ///
    /// # Errors
    /// [`ModelError`] for arguments out of range or when no positive root exists.
    pub fn alpha_from_atm(
        atm_vol: f64,
        f: f64,
        t: f64,
        beta: f64,
        nu: f64,
        rho: f64,
    ) -> Result<f64, ModelError> {
        positive("at-the-money volatility", atm_vol)?;
        positive("forward", f)?;
        non_negative("T", t)?;
        let scale = libm::exp((1.0 - beta) * libm::log(f));
        let mut sabr = Self { alpha: atm_vol * scale, beta, nu, rho };
        sabr.validate()?;
        for _ in 0..60 {
            let level = sabr.alpha / scale;
            let value = level * (1.0 + sabr.time_correction(scale) * t) - atm_vol;
            let one_beta = 1.0 - beta;
            let slope = 1.0
                + t * (one_beta * one_beta * level * level / 8.0
                    + 0.5 * rho * beta * nu * level
                    + (2.0 - 3.0 * rho * rho) * nu * nu / 24.0);
            if !is_positive(slope) {
                break;
            }
            let next = (level - value / slope).max(0.1 * level);
            sabr.alpha = next * scale;
            if (next - level).abs() <= 1e-15 * level {
                break;
            }
        }
        let residual = sabr.black_vol(f, f, t)? - atm_vol;
        if residual.abs() > 1e-10 * atm_vol {
            return Err(ModelError::NoConvergence {
                what: "SABR alpha from at-the-money volatility",
                residual,
            });
        }
        Ok(sabr.alpha)
    }
}

/// `ln(f/k)` accurate near `f = k`.
fn log_ratio(f: f64, k: f64) -> f64 {
    let relative = (f - k) / k;
    // f - k is exact within a factor two (Sterbenz), so log1p keeps every digit.
    if relative.abs() < 0.5 { libm::log1p(relative) } else { libm::log(f / k) }
}

/// `z / x(z)`, `x(z) = ln((sqrt(1 - 2 rho z + z^2) + z - rho)/(1 - rho))` (eq. 2.17b).
fn z_over_x(z: f64, rho: f64) -> f64 {
    // x(-z; rho) = -x(z; -rho): work with z >= 0, where the logarithm's argument is >= 1.
    let (z, rho) = if z < 0.0 { (-z, -rho) } else { (z, rho) };
    if z == 0.0 {
        return 1.0;
    }
    let shifted = z - rho;
    let root = (shifted * shifted + one_minus_square(rho)).sqrt();
    // The logarithm's argument less one, z (1 + root + z - 2 rho)/((1 + root)(1 - rho)), with
    // root + z - rho divided by 1 - rho in the form that does not cancel as rho nears 1.
    let slope = if shifted < 0.0 { (1.0 + rho) / (root - shifted) } else { (root + shifted) / (1.0 - rho) };
    let excess = z * (slope + 1.0) / (1.0 + root);
    z / libm::log1p(excess)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn matches_high_precision_rows() {
        // mpmath evaluation of Hagan et al. (2002) eq. 2.17a.
        let rows = [
            (
                0.03,
                0.076_100_430_413_016_66,
                3.8096,
                0.012_125_517_980_462_623,
                0.0,
                0.6004,
                -0.5221,
                0.289_242_673_357_781_84,
            ),
            (
                0.03,
                0.016_470_671_674_255_713,
                3.6133,
                0.006_647_149_978_585_185,
                0.0,
                1.4206,
                0.7226,
                0.348_816_527_254_682_02,
            ),
        ];
        for (f, k, t, alpha, beta, nu, rho, vol) in rows {
            let found = Sabr { alpha, beta, nu, rho }.black_vol(f, k, t).unwrap();
            assert!((found / vol - 1.0).abs() < 1e-13, "{found} {vol}");
        }
    }

    #[test]
    fn quotient_keeps_its_digits_at_extreme_correlation() {
        // 50-digit values of z/x(z).
        let rows = [
            (0.5, 0.9999, 0.721_399_549_317_574_9),
            (0.5, -0.9999, 1.233_134_834_739_622),
            (-3.0, 0.9999, 2.163_998_656_906_61),
            (1e-9, 0.999_999, 0.999_999_999_500_000_5),
        ];
        for (z, rho, expected) in rows {
            assert!((z_over_x(z, rho) / expected - 1.0).abs() < 4e-15, "{z} {rho}: {}", z_over_x(z, rho));
        }
    }

    #[test]
    fn flat_when_nothing_moves() {
        let flat = Sabr { alpha: 0.2, beta: 1.0, nu: 0.0, rho: 0.0 };
        for k in [50.0, 99.999_999, 100.0, 180.0] {
            assert!((flat.black_vol(100.0, k, 2.0).unwrap() - 0.2).abs() < 1e-15);
        }
        let normal = Sabr { alpha: 3.0, beta: 0.0, nu: 0.0, rho: 0.0 };
        assert!((normal.normal_vol(100.0, 100.0, 1.0).unwrap() - 3.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn smooth_through_the_money(beta in 0.0..1.0f64, nu in 0.05..1.5f64, rho in -0.95..0.95f64, e in -9.0..-5.0f64) {
            let sabr = Sabr { alpha: 0.2, beta, nu, rho };
            let h = libm::exp10(e);
            let vol = |x: f64| sabr.black_vol(1.0, libm::exp(x), 0.5).unwrap();
            // Second difference of an analytic function: O(h^2), here dominated by rounding.
            prop_assert!((vol(h) - 2.0 * vol(0.0) + vol(-h)).abs() < 50.0 * h * h + 1e-15);
        }

        #[test]
        fn alpha_reproduces_the_money(vol in 0.05..0.8f64, t in 0.05..3.0f64, beta in 0.0..1.0f64, nu in 0.0..1.0f64, rho in -0.9..0.9f64) {
            if let Ok(alpha) = Sabr::alpha_from_atm(vol, 120.0, t, beta, nu, rho) {
                let found = Sabr { alpha, beta, nu, rho }.black_vol(120.0, 120.0, t).unwrap();
                prop_assert!((found / vol - 1.0).abs() < 1e-10);
            }
        }

        #[test]
        fn any_number_is_survived(p in prop::array::uniform7(prop::num::f64::ANY)) {
            let sabr = Sabr { alpha: p[0], beta: p[1], nu: p[2], rho: p[3] };
            let _ = (sabr.black_vol(p[4], p[5], p[6]), sabr.normal_vol(p[4], p[5], p[6]), sabr.black_vol_unchecked(p[4], p[5], p[6]));
            let _ = Sabr::alpha_from_atm(p[0], p[4], p[6], p[1], p[2], p[3]);
        }
    }
}
