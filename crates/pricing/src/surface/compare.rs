//! SABR and SSVI fits, and smile models side by side.

use super::fit::{SmileQuote, SviFit, errors, fit_svi, usable};
use super::sabr::Sabr;
use super::ssvi::{Ssvi, SsviSlice};
use super::{Smile, VarianceJet};
use crate::math::kernel::{exp, ln};
use crate::model_error::{ModelError, in_range, positive};
use crate::numeric::least_squares::{Parameters, Stop, minimise_by_differences};

const STOP: Stop = Stop { evaluations: 100, relative_decrease: 1e-10 };

/// A fitted SABR smile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SabrFit {
    /// Parameters.
    pub model: Sabr,
    /// Forward it was fitted with.
    pub forward: f64,
    /// Years to expiry.
    pub years: f64,
    /// Root of the weighted mean square volatility error.
    pub rmse_vol: f64,
    /// Largest absolute volatility error.
    pub worst_vol: f64,
}

impl Smile for SabrFit {
    /// Derivatives by central differences (step 1e-4): errors about 1e-8 in `g`.
    fn jet(&self, k: f64) -> VarianceJet {
        let w = |k: f64| {
            let vol = self.model.black_vol_unchecked(self.forward, self.forward * exp(k), self.years);
            vol * vol * self.years
        };
        let h = 1e-4;
        let (up, here, down) = (w(k + h), w(k), w(k - h));
        VarianceJet { w: here, dw: (up - down) / (2.0 * h), d2w: (up - 2.0 * here + down) / (h * h) }
    }
}

/// Fits alpha, rho and nu for a given `beta` to Black volatilities.
///
/// # Errors
/// [`ModelError`] for fewer than three quotes with weight or a number out of range.
pub fn fit_sabr(quotes: &[SmileQuote], forward: f64, years: f64, beta: f64) -> Result<SabrFit, ModelError> {
    positive("forward", forward)?;
    positive("T", years)?;
    in_range("SABR beta", beta, "in [0, 1]", |b| (0.0..=1.0).contains(&b))?;
    let used = usable(quotes)?;
    if used.len() < 3 {
        return Err(ModelError::TooFew {
            what: "SABR fit (quotes with weight)",
            needed: 3,
            found: used.len(),
        });
    }
    let money = used.iter().min_by(|a, b| a.k.abs().total_cmp(&b.k.abs())).map_or(0.2, |q| q.vol);
    let decode = |x: &Parameters| Sabr {
        alpha: exp(x[0].clamp(-40.0, 40.0)),
        beta,
        nu: exp(x[1].clamp(-12.0, 4.0)),
        rho: 0.9999 * libm::tanh(x[2]),
    };
    let strikes: Vec<f64> = used.iter().map(|q| forward * exp(q.k)).collect();
    let mut best: Option<(f64, Sabr)> = None;
    for (nu, rho) in [(0.5, -0.3), (1.5, -0.6), (0.3, 0.4)] {
        let mut start = [0.0; 8];
        start[0] = ln(money) + (1.0 - beta) * ln(forward);
        (start[1], start[2]) = (ln(nu), libm::atanh(rho));
        let fitted = minimise_by_differences(3, used.len(), start, STOP, |x, r| {
            let model = decode(x);
            for ((r, q), &strike) in r.iter_mut().zip(&used).zip(&strikes) {
                *r = q.weight.sqrt() * (model.black_vol_unchecked(forward, strike, years) - q.vol);
            }
            r.iter().all(|x| x.is_finite())
        });
        if let Some(f) = fitted
            && best.as_ref().is_none_or(|b| f.cost < b.0)
        {
            best = Some((f.cost, decode(&f.x)));
        }
    }
    let (_, model) = best.ok_or(ModelError::NoConvergence { what: "SABR fit", residual: f64::NAN })?;
    let mut fit = SabrFit { model, forward, years, rmse_vol: 0.0, worst_vol: 0.0 };
    (fit.rmse_vol, fit.worst_vol) = errors(&fit, &used, years);
    Ok(fit)
}

/// One expiry for [`fit_ssvi`]: its at-the-money total variance and quotes.
#[derive(Debug, Clone, PartialEq)]
pub struct SsviExpiry {
    /// Years to expiry.
    pub years: f64,
    /// At-the-money total variance, non-decreasing over expiries.
    pub theta: f64,
    /// Quotes.
    pub quotes: Vec<SmileQuote>,
}

/// A fitted SSVI surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SsviFit {
    /// Parameters shared by all expiries.
    pub surface: Ssvi,
    /// Root of the weighted mean square volatility error.
    pub rmse_vol: f64,
    /// Whether every expiry meets the sufficient butterfly condition and no neighbours cross.
    pub is_arbitrage_free: bool,
}

/// Fits rho, eta and gamma to all expiries at their given at-the-money variances. The
/// sufficient butterfly conditions hold by construction: `eta` is capped at the value
/// where they bind for some expiry, and `gamma` lies in (0, 1/2], for which no
/// neighbours cross (Gatheral & Jacquier 2014, section 4.2, remark 4.4).
///
/// # Errors
/// [`ModelError`] for fewer than four quotes with weight, or variances not ascending.
pub fn fit_ssvi(expiries: &[SsviExpiry]) -> Result<SsviFit, ModelError> {
    let mut used: Vec<(f64, f64, SmileQuote)> = Vec::new();
    let mut last = (0.0, 0.0);
    for e in expiries {
        in_range("T", e.years, "ascending and greater than 0", |t| t > last.0)?;
        in_range("at-the-money variance", e.theta, "positive and non-decreasing", |v| {
            v > 0.0 && v >= last.1
        })?;
        last = (e.years, e.theta);
        used.extend(usable(&e.quotes)?.into_iter().map(|q| (e.years, e.theta, q)));
    }
    if used.len() < 4 {
        return Err(ModelError::TooFew {
            what: "SSVI fit (quotes with weight)",
            needed: 4,
            found: used.len(),
        });
    }
    let decode = |x: &Parameters| {
        let rho = 0.999 * libm::tanh(x[0]);
        let gamma = 0.5 / (1.0 + exp(-x[2].clamp(-30.0, 30.0)));
        let unit = Ssvi { rho, eta: 1.0, gamma };
        // theta phi (1+|rho|) < 4 and theta phi^2 (1+|rho|) <= 4 for every expiry.
        let cap = expiries.iter().fold(f64::INFINITY, |cap, e| {
            let (phi, tilt) = (unit.phi(e.theta), 1.0 + rho.abs());
            cap.min(3.999_999 / (e.theta * phi * tilt)).min((3.999_999 / (e.theta * tilt)).sqrt() / phi)
        });
        Ssvi { eta: cap / (1.0 + exp(-x[1].clamp(-30.0, 30.0))), ..unit }
    };
    let mut best: Option<(f64, Ssvi)> = None;
    for (rho, share) in [(-0.5, 0.0), (-0.8, 1.0), (0.2, -1.0)] {
        let mut start = [0.0; 8];
        (start[0], start[1], start[2]) = (libm::atanh(rho), share, 1.0);
        let fitted = minimise_by_differences(3, used.len(), start, STOP, |x, r| {
            let surface = decode(x);
            for (r, (years, theta, q)) in r.iter_mut().zip(&used) {
                let slice = SsviSlice { rho: surface.rho, theta: *theta, phi: surface.phi(*theta) };
                *r = q.weight.sqrt() * (slice.implied_vol(q.k, *years) - q.vol);
            }
            r.iter().all(|x| x.is_finite())
        });
        if let Some(f) = fitted
            && best.as_ref().is_none_or(|b| f.cost < b.0)
        {
            best = Some((f.cost, decode(&f.x)));
        }
    }
    let (cost, surface) = best.ok_or(ModelError::NoConvergence { what: "SSVI fit", residual: f64::NAN })?;
    let weights: f64 = used.iter().map(|(_, _, q)| q.weight).sum();
    let slices: Vec<SsviSlice> = expiries
        .iter()
        .map(|e| SsviSlice { rho: surface.rho, theta: e.theta, phi: surface.phi(e.theta) })
        .collect();
    let is_arbitrage_free = slices.iter().all(SsviSlice::is_surely_butterfly_free)
        && slices.windows(2).all(|w| super::ssvi::is_calendar_free(&w[0], &w[1]));
    Ok(SsviFit { surface, rmse_vol: (cost / weights).sqrt(), is_arbitrage_free })
}

/// Smile models fitted to the same quotes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmileComparison {
    /// SVI, five parameters, free of butterflies.
    pub svi: SviFit,
    /// SABR with three free parameters.
    pub sabr: SabrFit,
    /// Whether SABR's density stays non-negative on the quotes' range.
    pub sabr_is_butterfly_free: bool,
}

/// Fits SVI and SABR (with `beta`) to one expiry.
///
/// # Errors
/// As [`fit_svi`] and [`fit_sabr`].
pub fn compare_smiles(
    quotes: &[SmileQuote],
    forward: f64,
    years: f64,
    beta: f64,
) -> Result<SmileComparison, ModelError> {
    let svi = fit_svi(quotes, years, None)?;
    let sabr = fit_sabr(quotes, forward, years, beta)?;
    let low = quotes.iter().map(|q| q.k).fold(f64::INFINITY, f64::min);
    let high = quotes.iter().map(|q| q.k).fold(f64::NEG_INFINITY, f64::max);
    let sabr_is_butterfly_free = (0..=200)
        .map(|i| low + (high - low) * f64::from(i) / 200.0)
        .all(|k| sabr.jet(k).durrleman(k) >= -1e-6);
    Ok(SmileComparison { svi, sabr, sabr_is_butterfly_free })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sabr_is_recovered_from_its_own_quotes() {
        let truth = Sabr { alpha: 2.0, beta: 0.5, nu: 0.7, rho: -0.4 };
        let quotes: Vec<SmileQuote> = (-8..=8)
            .map(|i| f64::from(i) * 0.04)
            .map(|k| SmileQuote {
                k,
                vol: truth.black_vol(100.0, 100.0 * libm::exp(k), 0.5).unwrap(),
                weight: 1.0,
            })
            .collect();
        let fit = fit_sabr(&quotes, 100.0, 0.5, 0.5).unwrap();
        assert!(fit.rmse_vol < 1e-8, "{fit:?}");
        assert!((fit.model.alpha - 2.0).abs() < 1e-5 && (fit.model.rho + 0.4).abs() < 1e-5, "{fit:?}");
        let both = compare_smiles(&quotes, 100.0, 0.5, 0.5).unwrap();
        assert!(
            both.svi.rmse_vol < 5e-4 && both.svi.is_arbitrage_free() && both.sabr_is_butterfly_free,
            "{both:?}"
        );
    }

    #[test]
    fn ssvi_is_recovered_and_free() {
        let truth = Ssvi { rho: -0.6, eta: 0.9, gamma: 0.4 };
        let expiries: Vec<SsviExpiry> = [(0.1, 0.005), (0.5, 0.02), (1.5, 0.06)]
            .into_iter()
            .map(|(years, theta)| {
                let slice = truth.slice(theta).unwrap();
                let quotes = (-6..=6)
                    .map(|i| f64::from(i) * 0.3 * f64::sqrt(theta))
                    .map(|k| SmileQuote { k, vol: slice.implied_vol(k, years), weight: 1.0 })
                    .collect();
                SsviExpiry { years, theta, quotes }
            })
            .collect();
        let fit = fit_ssvi(&expiries).unwrap();
        assert!(fit.rmse_vol < 1e-7 && fit.is_arbitrage_free, "{fit:?}");
        assert!((fit.surface.eta - 0.9).abs() < 1e-3, "{fit:?}");
        assert!(fit_ssvi(&[]).is_err());
    }
}
