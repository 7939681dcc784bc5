//! SVI smile slices: raw, natural and jump-wing parameters.
//!
//! Raw parameters (Gatheral & Jacquier, "Arbitrage-free SVI volatility surfaces",
//! Quantitative Finance 14(1), 2014, eq. 3.1):
//! `w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))`.
//!
//! Domain: `b >= 0`, `|rho| < 1`, `sigma > 0` and minimum variance
//! `a + b sigma sqrt(1 - rho^2) >= 0`. Evaluation never fails: outside the domain
//! it returns what the formula gives (NaN for NaN).

use super::{Smile, VarianceJet};
use crate::model_error::{ModelError, finite, in_range, non_negative, positive};

/// Raw SVI parameters of one expiry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawSvi {
    /// Vertical shift of total variance.
    pub a: f64,
    /// Slope of the wings; the right wing has slope `b (1 + rho)`.
    pub b: f64,
    /// Rotation in (-1, 1); negative for an equity skew.
    pub rho: f64,
    /// Log-moneyness of the hyperbola's centre.
    pub m: f64,
    /// Curvature radius at the centre, > 0.
    pub sigma: f64,
}

/// Natural SVI parameters (Gatheral & Jacquier 2014, eq. 3.2):
/// `w(k) = delta + omega/2 (1 + zeta rho (k - mu) + sqrt((zeta (k - mu) + rho)^2 + 1 - rho^2))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NaturalSvi {
    /// Vertical shift.
    pub delta: f64,
    /// Horizontal shift.
    pub mu: f64,
    /// Correlation-like rotation in (-1, 1).
    pub rho: f64,
    /// Variance scale, >= 0.
    pub omega: f64,
    /// Moneyness scale, > 0.
    pub zeta: f64,
}

/// Jump-wing parameters (Gatheral & Jacquier 2014, eq. 3.5), in trader units:
/// variances per year and slopes per standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JumpWings {
    /// At-the-money variance per year, `w(0)/T`.
    pub v: f64,
    /// At-the-money skew `d sigma/dk` scaled by `sqrt(T)`.
    pub psi: f64,
    /// Slope of the put wing.
    pub p: f64,
    /// Slope of the call wing.
    pub c: f64,
    /// Minimum implied variance per year.
    pub v_tilde: f64,
}

impl RawSvi {
    /// Checks the domain.
    ///
    /// # Errors
    /// [`ModelError`] naming the first parameter out of its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        finite("SVI a", self.a)?;
        non_negative("SVI b", self.b)?;
        in_range("SVI rho", self.rho, "in (-1, 1)", |r| r.abs() < 1.0)?;
        finite("SVI m", self.m)?;
        positive("SVI sigma", self.sigma)?;
        non_negative("SVI minimum variance a + b sigma sqrt(1-rho^2)", self.minimum_variance())?;
        Ok(())
    }

    /// Smallest total variance over all strikes, `a + b sigma sqrt(1 - rho^2)`.
    #[must_use]
    pub fn minimum_variance(&self) -> f64 {
        self.a + self.b * self.sigma * one_minus_square(self.rho).sqrt()
    }

    /// Slopes of total variance in `|k|` of the left and right wing. Lee's moment
    /// formula requires both to be at most 2.
    #[must_use]
    pub fn wing_slopes(&self) -> (f64, f64) {
        (self.b * (1.0 - self.rho), self.b * (1.0 + self.rho))
    }

    /// Jump-wing parameters for an expiry of `t` years.
    ///
    /// # Errors
    /// [`ModelError`] when `t` or the at-the-money variance is not positive.
    pub fn jump_wings(&self, t: f64) -> Result<JumpWings, ModelError> {
        positive("T", t)?;
        let atm = self.jet(0.0);
        positive("SVI at-the-money variance", atm.w)?;
        let root = atm.w.sqrt();
        Ok(JumpWings {
            v: atm.w / t,
            psi: 0.5 * atm.dw / root,
            p: self.b * (1.0 - self.rho) / root,
            c: self.b * (1.0 + self.rho) / root,
            v_tilde: self.minimum_variance() / t,
        })
    }

    /// Natural parameters of the same slice.
    ///
    /// # Errors
    /// [`ModelError`] when the raw parameters are out of their domain.
    pub fn natural(&self) -> Result<NaturalSvi, ModelError> {
        self.validate()?;
        let root = one_minus_square(self.rho).sqrt();
        let zeta = root / self.sigma;
        let omega = 2.0 * self.b * self.sigma / root;
        Ok(NaturalSvi {
            delta: self.a - 0.5 * omega * root * root,
            mu: self.m + self.rho * self.sigma / root,
            rho: self.rho,
            omega,
            zeta,
        })
    }
}

impl Smile for RawSvi {
    fn jet(&self, k: f64) -> VarianceJet {
        let x = k - self.m;
        let root = (x * x + self.sigma * self.sigma).sqrt();
        let tilt = self.rho * x;
        // rho x + sqrt(x^2 + sigma^2) without cancellation when rho x < 0.
        let (bowl, slope) = if tilt < 0.0 {
            let c = one_minus_square(self.rho);
            ((x * x * c + self.sigma * self.sigma) / (root - tilt), self.rho + x / root)
        } else {
            (tilt + root, self.rho + x / root)
        };
        VarianceJet {
            w: self.a + self.b * bowl,
            dw: self.b * slope,
            d2w: self.b * (self.sigma / root) * (self.sigma / root) / root,
        }
    }
}

impl NaturalSvi {
    /// Raw parameters of the same slice (Gatheral & Jacquier 2014, lemma 3.1).
    #[must_use]
    pub fn raw(&self) -> RawSvi {
        let c = one_minus_square(self.rho);
        RawSvi {
            a: self.delta + 0.5 * self.omega * c,
            b: 0.5 * self.omega * self.zeta,
            rho: self.rho,
            m: self.mu - self.rho / self.zeta,
            sigma: c.sqrt() / self.zeta,
        }
    }
}

impl JumpWings {
    /// Raw parameters for an expiry of `t` years (Gatheral & Jacquier 2014, lemma 3.2).
    ///
    /// # Errors
    /// [`ModelError`] when the parameters describe no SVI slice: `v <= 0`,
    /// `p + c <= 0`, or an at-the-money skew steeper than a wing.
    pub fn raw(&self, t: f64) -> Result<RawSvi, ModelError> {
        positive("T", t)?;
        positive("jump-wing v", self.v)?;
        non_negative("jump-wing v_tilde", self.v_tilde)?;
        let root = (self.v * t).sqrt();
        let b = 0.5 * root * positive("jump-wing p + c", self.c + self.p)?;
        let rho = in_range("jump-wing rho", 1.0 - self.p * root / b, "in (-1, 1)", |r| r.abs() < 1.0)?;
        // chi = rho - 2 psi sqrt(w)/b is minus the normalised place of the money: x/sqrt(x^2+sigma^2).
        let chi = in_range(
            "jump-wing skew psi relative to the wings",
            rho - 2.0 * self.psi * root / b,
            "strictly between the wing slopes",
            |x| x.abs() < 1.0,
        )?;
        let excess = (self.v - self.v_tilde) * t;
        let c = one_minus_square(rho).sqrt();
        let chi_c = one_minus_square(chi).sqrt();
        // w(0) - w_min = b sigma (1 - rho chi - sqrt((1-rho^2)(1-chi^2))) / sqrt(1-chi^2), m = sigma chi/sqrt(1-chi^2)
        // With rho = sin A and chi = sin B the bracket is 1 - cos(A - B); for nearby angles
        // sin^2/(1 + cos) keeps the digits that 1 - cos would lose.
        let (sine, cosine) = (rho * chi_c - c * chi, rho * chi + c * chi_c);
        let gap = if cosine > 0.0 { sine * sine / (1.0 + cosine) } else { 1.0 - cosine };
        let sigma = if gap > 0.0 { excess * chi_c / (b * gap) } else { 0.0 };
        positive("jump-wing sigma (v must exceed v_tilde unless the skew is flat)", sigma)?;
        let raw = RawSvi { a: self.v_tilde * t - b * sigma * c, b, rho, m: sigma * chi / chi_c, sigma };
        raw.validate()?;
        Ok(raw)
    }
}

/// Where Durrleman's function is smallest on an interval of log-moneyness.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ButterflyReport {
    /// The smallest `g` found.
    pub min_g: f64,
    /// Log-moneyness where it is attained.
    pub at_k: f64,
    /// Whether `g >= 0` on the whole interval and both wings respect Lee's bound
    /// (slope of total variance at most 2).
    pub is_free: bool,
}

impl RawSvi {
    /// Searches the interval `[k_low, k_high]` for butterfly arbitrage.
    ///
    /// The scan is dense where an SVI slice can bend (around `m`, on the scale of
    /// `sigma`, and around the money), each local minimum is then polished by
    /// golden-section search to about 1e-9 of the interval's scale.
    #[must_use]
    pub fn butterfly(&self, k_low: f64, k_high: f64) -> ButterflyReport {
        let (left, right) = self.wing_slopes();
        let (at_k, min_g) = minimum_of_g(self, k_low, k_high, self.m, self.sigma);
        ButterflyReport { min_g, at_k, is_free: min_g >= 0.0 && left <= 2.0 && right <= 2.0 }
    }
}

/// `1 - r^2` without cancellation near `|r| = 1`.
pub(crate) fn one_minus_square(r: f64) -> f64 {
    (1.0 - r) * (1.0 + r)
}

/// Place and value of the smallest `g` of a smile on `[low, high]`, scanning densely
/// around `centre` on the scale `width` and uniformly elsewhere.
pub(crate) fn minimum_of_g<S: Smile + ?Sized>(
    smile: &S,
    low: f64,
    high: f64,
    centre: f64,
    width: f64,
) -> (f64, f64) {
    let g = |k: f64| smile.jet(k).durrleman(k);
    let mut places: Vec<f64> =
        (0..=UNIFORM).map(|i| low + (high - low) * i as f64 / UNIFORM as f64).collect();
    places.extend((-DENSE..=DENSE).flat_map(|i| {
        let reach = libm::sinh(i as f64 * 6.0 / DENSE as f64);
        [centre + width * reach, 0.02 * reach]
    }));
    places.retain(|k| (low..=high).contains(k));
    places.sort_by(f64::total_cmp);
    let values: Vec<f64> = places.iter().map(|&k| g(k)).collect();
    let mut best = (f64::NAN, f64::INFINITY);
    for i in 0..places.len() {
        if values[i] < best.1 {
            best = (places[i], values[i]);
        }
        let interior = i > 0 && i + 1 < places.len();
        if interior && values[i] <= values[i - 1] && values[i] <= values[i + 1] {
            let (k, value) = golden_section(&g, places[i - 1], places[i + 1]);
            if value < best.1 {
                best = (k, value);
            }
        }
    }
    if best.1.is_finite() { best } else { (f64::NAN, f64::NAN) }
}

/// Points of the uniform scan.
const UNIFORM: usize = 200;
/// Points on each side of the sinh-spaced scans.
const DENSE: i32 = 100;

/// Minimum of a unimodal function on `[low, high]`.
fn golden_section(f: &impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> (f64, f64) {
    const SHARE: f64 = 0.618_033_988_749_894_8;
    let (mut x1, mut x2) = (high - SHARE * (high - low), low + SHARE * (high - low));
    let (mut f1, mut f2) = (f(x1), f(x2));
    for _ in 0..60 {
        if f1 <= f2 {
            (high, x2, f2) = (x2, x1, f1);
            x1 = high - SHARE * (high - low);
            f1 = f(x1);
        } else {
            (low, x1, f1) = (x1, x2, f2);
            x2 = low + SHARE * (high - low);
            f2 = f(x2);
        }
    }
    if f1 <= f2 { (x1, f1) } else { (x2, f2) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Axel Vogt's example (Gatheral & Jacquier 2014, example 3.1 and section 5).
    const VOGT: RawSvi = RawSvi { a: -0.0410, b: 0.1331, rho: 0.3060, m: 0.3586, sigma: 0.4153 };

    #[test]
    fn vogt_example_has_the_published_jump_wings() {
        let jw = VOGT.jump_wings(1.0).unwrap();
        for (found, published) in [
            (jw.v, 0.017_426_25),
            (jw.psi, -0.175_211_1),
            (jw.p, 0.699_738_1),
            (jw.c, 1.316_798),
            (jw.v_tilde, 0.011_624_9),
        ] {
            assert!((found - published).abs() < 5e-7 * published.abs().max(0.1), "{found} {published}");
        }
    }

    #[test]
    fn vogt_example_has_butterfly_arbitrage() {
        let report = VOGT.butterfly(-10.0, 10.0);
        assert!(!report.is_free);
        // 50-digit minimum of g.
        assert!((report.min_g - -0.032_863_573_453_623_014).abs() < 1e-10);
        assert!((report.at_k - 0.879_262_542_166_783_4).abs() < 1e-6);
    }

    #[test]
    fn out_of_domain_parameters_are_named() {
        let bad = RawSvi { rho: 1.0, ..VOGT };
        assert!(bad.validate().unwrap_err().to_string().contains("rho"));
        assert!(RawSvi { a: -1.0, ..VOGT }.validate().is_err());
        assert!(RawSvi { sigma: f64::NAN, ..VOGT }.jump_wings(1.0).is_err());
        assert!(VOGT.jump_wings(0.0).is_err());
    }

    proptest! {
        #[test]
        fn parametrisations_round_trip(
            a in 0.0..0.2f64, b in 0.01..0.6f64, rho in -0.9..0.9f64,
            m in -0.3..0.3f64, sigma in 0.05..0.6f64, t in 0.05..3.0f64,
        ) {
            let raw = RawSvi { a, b, rho, m, sigma };
            let natural = raw.natural().unwrap().raw();
            let chi = m / (m * m + sigma * sigma).sqrt();
            for k in [-1.0, -0.2, 0.0, 0.1, 0.8] {
                let w = raw.total_variance(k);
                prop_assert!((natural.total_variance(k) - w).abs() < 1e-13 * (1.0 + w));
            }
            // The jump-wing map degenerates when the minimum sits at the money.
            prop_assume!((rho - chi).abs() > 0.05);
            let wings = raw.jump_wings(t).unwrap().raw(t).unwrap();
            for k in [-1.0, -0.2, 0.0, 0.1, 0.8] {
                let w = raw.total_variance(k);
                prop_assert!((wings.total_variance(k) - w).abs() < 1e-9 * (1.0 + w), "{:?} {:?}", raw, wings);
            }
        }

        #[test]
        fn any_number_is_survived(p in prop::array::uniform6(prop::num::f64::ANY)) {
            let raw = RawSvi { a: p[0], b: p[1], rho: p[2], m: p[3], sigma: p[4] };
            let _ = (raw.validate(), raw.jump_wings(p[5]), raw.natural(), raw.jet(p[5]).density(p[5]));
            let wings = JumpWings { v: p[0], psi: p[1], p: p[2], c: p[3], v_tilde: p[4] };
            let _ = wings.raw(p[5]);
        }

        #[test]
        fn derivatives_match_differences(
            b in 0.01..0.6f64, rho in -0.95..0.95f64, m in -0.3..0.3f64, sigma in 0.05..0.6f64, k in -2.0..2.0f64,
        ) {
            let raw = RawSvi { a: 0.02, b, rho, m, sigma };
            let (h, jet) = (1e-5, raw.jet(k));
            let (up, down) = (raw.jet(k + h), raw.jet(k - h));
            prop_assert!(((up.w - down.w) / (2.0 * h) - jet.dw).abs() < 1e-7);
            prop_assert!(((up.dw - down.dw) / (2.0 * h) - jet.d2w).abs() < 1e-6 * (1.0 + jet.d2w));
        }
    }
}
