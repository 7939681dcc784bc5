//! A surface of slices in time, and Dupire's local volatility on it.
//!
//! Between expiries total variance is linear in time at equal log-moneyness of the
//! forward, which keeps a surface free of calendar arbitrage when its slices are
//! (Gatheral & Jacquier 2014, lemma 5.1). Before the first and after the last expiry
//! volatility is constant in time.
//!
//! Local variance is `(dw/dT)/g` (Gatheral, "The volatility surface", 2006, eq. 1.10).

use super::svi::RawSvi;
use super::{Smile, VarianceJet};
use crate::model_error::{ModelError, in_range, is_non_negative, is_positive, positive};

/// SVI slices in ascending time.
#[derive(Debug, Clone, PartialEq)]
pub struct SviSurface {
    slices: Vec<(f64, RawSvi)>,
}

/// The smile of a surface at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurfaceSlice {
    near: RawSvi,
    near_share: f64,
    far: RawSvi,
    far_share: f64,
}

impl Smile for SurfaceSlice {
    fn jet(&self, k: f64) -> VarianceJet {
        let (near, far) = (self.near.jet(k), self.far.jet(k));
        let mix = |n: f64, f: f64| self.near_share * n + self.far_share * f;
        VarianceJet { w: mix(near.w, far.w), dw: mix(near.dw, far.dw), d2w: mix(near.d2w, far.d2w) }
    }
}

impl SviSurface {
    /// A surface from `(years, slice)` in ascending time.
    ///
    /// # Errors
    /// [`ModelError`] for no slices, times not ascending, or a slice out of its domain.
    pub fn new(slices: &[(f64, RawSvi)]) -> Result<Self, ModelError> {
        if slices.is_empty() {
            return Err(ModelError::TooFew { what: "volatility surface", needed: 1, found: 0 });
        }
        let mut last = 0.0;
        for (years, slice) in slices {
            in_range("T", *years, "ascending and greater than 0", |t| t > last)?;
            slice.validate()?;
            last = *years;
        }
        Ok(Self { slices: slices.to_vec() })
    }

    /// The slices with their times.
    #[must_use]
    pub fn slices(&self) -> &[(f64, RawSvi)] {
        &self.slices
    }

    /// The smile at `years`.
    ///
    /// # Errors
    /// [`ModelError`] when `years` is not positive.
    pub fn at(&self, years: f64) -> Result<SurfaceSlice, ModelError> {
        positive("T", years)?;
        Ok(self.slice_and_slope(years).0)
    }

    /// The smile and `dw/dT` as a mixture of the same two slices.
    fn slice_and_slope(&self, years: f64) -> (SurfaceSlice, SurfaceSlice) {
        let after = self.slices.partition_point(|s| s.0 < years);
        let outer = |(t, slice): (f64, RawSvi)| {
            let mixture = |share| SurfaceSlice { near: slice, near_share: share, far: slice, far_share: 0.0 };
            (mixture(years / t), mixture(1.0 / t))
        };
        match (after.checked_sub(1).and_then(|i| self.slices.get(i)), self.slices.get(after)) {
            (Some(&(t1, near)), Some(&(t2, far))) => {
                let share = (years - t1) / (t2 - t1);
                let rate = 1.0 / (t2 - t1);
                (
                    SurfaceSlice { near, near_share: 1.0 - share, far, far_share: share },
                    SurfaceSlice { near, near_share: -rate, far, far_share: rate },
                )
            }
            (None, Some(&first)) => outer(first),
            _ => outer(self.slices[self.slices.len() - 1]),
        }
    }

    /// Local volatility at log-moneyness `k` and time `years`.
    ///
    /// # Errors
    /// [`ModelError::Arbitrage`] where `dw/dT < 0` or `g <= 0`.
    pub fn local_vol(&self, k: f64, years: f64) -> Result<f64, ModelError> {
        positive("T", years)?;
        let (slice, slope) = self.slice_and_slope(years);
        let (in_time, g) = (slope.jet(k).w, slice.jet(k).durrleman(k));
        if !is_non_negative(in_time) || !is_positive(g) {
            return Err(ModelError::Arbitrage { what: "local volatility", k });
        }
        Ok((in_time / g).sqrt())
    }
}

/// Local volatility from any total-variance function by central differences: step
/// `1e-3` in `k` (fourth order) and `1e-4 T` in time; relative error about 1e-5 on a
/// smooth surface.
///
/// # Errors
/// [`ModelError::Arbitrage`] where local variance does not exist.
pub fn local_vol_by_differences(
    total_variance: impl Fn(f64, f64) -> f64,
    k: f64,
    years: f64,
) -> Result<f64, ModelError> {
    positive("T", years)?;
    let h = 1e-3;
    let w = |i: f64| total_variance(k + i * h, years);
    let (w0, near, far) = (w(0.0), (w(1.0), w(-1.0)), (w(2.0), w(-2.0)));
    let jet = VarianceJet {
        w: w0,
        dw: (8.0 * (near.0 - near.1) - (far.0 - far.1)) / (12.0 * h),
        d2w: (16.0 * (near.0 + near.1) - (far.0 + far.1) - 30.0 * w0) / (12.0 * h * h),
    };
    let dt = 1e-4 * years;
    let in_time = (total_variance(k, years + dt) - total_variance(k, years - dt)) / (2.0 * dt);
    let g = jet.durrleman(k);
    if !is_non_negative(in_time) || !is_positive(g) {
        return Err(ModelError::Arbitrage { what: "local volatility", k });
    }
    Ok((in_time / g).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface() -> SviSurface {
        SviSurface::new(&[
            (0.25, RawSvi { a: 0.004, b: 0.06, rho: -0.5, m: 0.0, sigma: 0.1 }),
            (1.0, RawSvi { a: 0.016, b: 0.10, rho: -0.5, m: 0.0, sigma: 0.2 }),
        ])
        .unwrap()
    }

    #[test]
    fn passes_through_its_slices_and_is_linear_between() {
        let s = surface();
        for k in [-0.3, 0.0, 0.2] {
            let (near, far) = (s.slices()[0].1.total_variance(k), s.slices()[1].1.total_variance(k));
            assert!((s.at(0.25).unwrap().total_variance(k) - near).abs() < 1e-15);
            assert!((s.at(0.625).unwrap().total_variance(k) - 0.5 * (near + far)).abs() < 1e-15);
            assert!((s.at(2.0).unwrap().total_variance(k) - 2.0 * far).abs() < 1e-15);
        }
        assert!(s.at(0.0).is_err());
    }

    #[test]
    fn differences_agree_with_the_analytic_local_volatility() {
        let s = surface();
        for (k, t) in [(-0.2, 0.5), (0.0, 0.5), (0.15, 0.8), (0.1, 0.1)] {
            let exact = s.local_vol(k, t).unwrap();
            let w = |k: f64, t: f64| s.at(t).map_or(f64::NAN, |x| x.total_variance(k));
            assert!((local_vol_by_differences(w, k, t).unwrap() / exact - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn flat_surface_has_flat_local_volatility() {
        let flat =
            SviSurface::new(&[(1.0, RawSvi { a: 0.04, b: 0.0, rho: 0.0, m: 0.0, sigma: 0.1 })]).unwrap();
        assert!((flat.local_vol(0.3, 0.4).unwrap() - 0.2).abs() < 1e-15);
    }

    #[test]
    fn a_falling_surface_has_no_local_volatility() {
        let slice = RawSvi { a: 0.04, b: 0.05, rho: -0.3, m: 0.0, sigma: 0.1 };
        let s = SviSurface::new(&[(0.5, slice), (1.0, RawSvi { a: 0.03, ..slice })]).unwrap();
        assert!(matches!(s.local_vol(0.0, 0.7), Err(ModelError::Arbitrage { .. })));
    }
}
