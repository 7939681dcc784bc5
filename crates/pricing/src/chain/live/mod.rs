//! A whole chain re-marked on each tick of the underlying, without allocating.
//!
//! [`ChainPricer`] holds the series of one underlying, expiry by expiry, with a volatility each. What a
//! tick of the underlying does not change is kept: discount factors, √T, the logarithm of each strike
//! against the first one, 1/(σ√T), and for American series the fitted early-exercise premium. A tick
//! then costs one logarithm for the chain and one exponential and two divisions per series.
//!
//! A quote of one series goes to [`ChainPricer::imply`], quotes of all to [`ChainPricer::imply_all`], the
//! passing of time or a new rate to [`ChainPricer::set_terms`]. Volatilities stick to their strikes between
//! quotes.
//!
//! **Method and error.** European series: the closed form; against [`crate::bsm::risk`] the price moves by
//! rounding alone, some ε·(S + K)·(1 + |d1|)(1 + 1/(σ√T)). American series: the closed form plus the
//! early-exercise premium of [`Scheme::Fast`], a function of ln(S/K) alone that is fitted by Chebyshev
//! panels whenever the series' volatility or terms change (five boundaries, about a fifth of a
//! millisecond); against [`crate::american::greeks`] with [`Scheme::Fast`] the price agrees to 1e-6 of the
//! strike and the Greeks to 1e-5 of their scale, to 1e-2 where the option is worth less than a twentieth of
//! the strike more than its exercise (there the scheme's own quadrature is coarse, and the fit smooths it).
//! Series with two exercise boundaries or hardly any volatility are computed in full at each mark (two
//! boundaries on panels, which allocate).
//!
//! Limits: continuous yield, no cash dividends ([`crate::finite_difference`] has them).
mod tick;

use crate::american::curve::PremiumCurve;
use crate::american::{Pricer, Scheme};
use crate::bsm::batch::RiskColumns;
use crate::bsm::{self, BsmInputs, IvInputs, Risk};
use crate::columns::{LengthError, same_length};
use crate::finite_difference::Exercise;
use crate::iv::IvError;
use crate::iv::batch::{ForwardQuotes, black_vols};
use crate::math::kernel::{exp, ln_ratio};
use crate::model_error::{ModelError, finite, in_range, positive};
use crate::{Right, simd};
use tick::{Anchors, ChainTick, remark};

/// What all series of one expiry share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpiryTerms {
    /// Time to expiry in years, ≥ 0.
    pub years: f64,
    /// Continuously compounded interest rate per year.
    pub rate: f64,
    /// Continuously compounded dividend yield or borrow fee per year.
    pub dividend_yield: f64,
}

/// The series of one expiry.
#[derive(Clone, Copy, Debug)]
pub struct ExpirySeries<'a> {
    /// Time, rate and yield.
    pub terms: ExpiryTerms,
    /// European or American.
    pub exercise: Exercise,
    /// Strikes, > 0; a strike with a call and a put appears twice.
    pub strike: &'a [f64],
    /// Call or put, one per strike.
    pub right: &'a [Right],
}

struct Expiry {
    terms: ExpiryTerms,
    exercise: Exercise,
    from: usize,
    to: usize,
    /// Index of the first series in `curves`, for American expiries.
    curves_from: usize,
}

/// A chain with its cached terms and its latest marks. Series are numbered in the order of the expiries
/// given to [`ChainPricer::new`].
///
/// ```
/// use onetape_pricing::Right;
/// use onetape_pricing::chain::live::{ChainPricer, ExpirySeries, ExpiryTerms};
/// use onetape_pricing::finite_difference::Exercise;
/// let mut chain = ChainPricer::new(100.0, &[ExpirySeries {
///     terms: ExpiryTerms { years: 0.25, rate: 0.04, dividend_yield: 0.01 },
///     exercise: Exercise::European,
///     strike: &[95.0, 105.0],
///     right: &[Right::Put, Right::Call],
/// }])?;
/// chain.imply(1, 2.50)?; // a quote of the second series
/// chain.mark(101.0);     // a tick of the underlying
/// assert!(chain.risk(1).price > 2.50 && chain.risk(0).price.is_nan());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ChainPricer {
    /// Price that moneyness is taken against: the first strike, so that marks do not depend on where the
    /// spot began.
    anchor: f64,
    spot: f64,
    expiries: Vec<Expiry>,
    anchors: Anchors,
    right: Vec<Right>,
    marks: [Vec<f64>; 6],
    curves: Vec<PremiumCurve>,
    pricer: Pricer,
}

impl ChainPricer {
    /// A chain without volatilities: marks are NaN until each series has one.
    ///
    /// # Errors
    /// [`ModelError`] when the spot or a strike is not positive, a term is not finite, or an expiry has
    /// not one right per strike.
    pub fn new(spot: f64, expiries: &[ExpirySeries<'_>]) -> Result<Self, ModelError> {
        positive("spot", spot)?;
        let count = expiries.iter().map(|e| e.strike.len()).sum();
        let anchor = expiries.iter().flat_map(|e| e.strike).next().copied().unwrap_or(spot);
        let mut chain = Self {
            anchor,
            spot,
            expiries: Vec::with_capacity(expiries.len()),
            anchors: Anchors::with_capacity(count),
            right: Vec::with_capacity(count),
            marks: [const { Vec::new() }; 6],
            curves: Vec::new(),
            pricer: Pricer::new(Scheme::Fast),
        };
        for series in expiries {
            check(&series.terms)?;
            crate::model_error::same_length("strikes and rights", series.strike.len(), series.right.len())?;
            let from = chain.right.len();
            for (&strike, &right) in series.strike.iter().zip(series.right) {
                positive("strike", strike)?;
                chain.anchors.push(strike, ln_ratio(anchor, strike), right.sign());
                chain.right.push(right);
            }
            let curves_from = chain.curves.len();
            if series.exercise == Exercise::American {
                chain.curves.resize(curves_from + series.strike.len(), PremiumCurve::default());
            }
            let to = chain.right.len();
            let (terms, exercise) = (series.terms, series.exercise);
            chain.expiries.push(Expiry { terms, exercise, from, to, curves_from });
        }
        chain.marks = core::array::from_fn(|_| vec![f64::NAN; count]);
        Ok(chain)
    }

    /// Number of series.
    #[must_use]
    pub fn len(&self) -> usize {
        self.right.len()
    }

    /// Whether there is no series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.right.is_empty()
    }

    /// The spot of the latest mark.
    #[must_use]
    pub fn spot(&self) -> f64 {
        self.spot
    }

    /// Volatilities per 1.00, one per series; NaN where there is none.
    #[must_use]
    pub fn vols(&self) -> &[f64] {
        &self.anchors.vol
    }

    /// Price and five Greeks of a series at the latest mark; NaN for a series without a volatility.
    /// As the position in a slice, `series` must be below [`ChainPricer::len`]; a larger one gives NaN.
    #[must_use]
    pub fn risk(&self, series: usize) -> Risk {
        let at = |column: &Vec<f64>| column.get(series).copied().unwrap_or(f64::NAN);
        let [price, delta, gamma, vega, theta, rho] = [0, 1, 2, 3, 4, 5].map(|c: usize| at(&self.marks[c]));
        Risk { price, delta, gamma, vega, theta, rho }
    }

    /// Prices of all series at the latest mark.
    #[must_use]
    pub fn prices(&self) -> &[f64] {
        &self.marks[0]
    }

    /// Deltas of all series at the latest mark.
    #[must_use]
    pub fn deltas(&self) -> &[f64] {
        &self.marks[1]
    }

    /// Gammas of all series at the latest mark.
    #[must_use]
    pub fn gammas(&self) -> &[f64] {
        &self.marks[2]
    }

    /// Call or put, one per series.
    #[must_use]
    pub fn rights(&self) -> &[Right] {
        &self.right
    }

    /// Gives a series a volatility; its mark follows at once.
    ///
    /// # Errors
    /// [`ModelError`] when there is no such series or the volatility is not a number ≥ 0.
    pub fn set_vol(&mut self, series: usize, vol: f64) -> Result<(), ModelError> {
        let expiry = self.expiry_of(series)?;
        in_range("volatility", vol, "0 or greater", |v| v >= 0.0)?;
        self.store_vol(expiry, series, vol);
        self.remark_series(expiry, series, series + 1);
        Ok(())
    }

    /// Takes a price of a series at the present spot: its volatility is implied and its mark follows at
    /// once. A refused price leaves the series as it was.
    ///
    /// # Errors
    /// [`IvError`] when the price has no implied volatility or there is no such series.
    pub fn imply(&mut self, series: usize, price: f64) -> Result<f64, IvError> {
        let unknown = IvError::NotFinite { name: "series", value: series as f64 };
        let expiry = self.expiry_of(series).map_err(|_| unknown)?;
        let inputs = IvInputs::from_price(price, &self.inputs(expiry, series));
        let vol = match self.expiries[expiry].exercise {
            Exercise::European => bsm::implied_vol(&inputs, self.right[series])?,
            Exercise::American => self.pricer.implied_vol(&inputs, self.right[series])?,
        };
        self.store_vol(expiry, series, vol);
        self.remark_series(expiry, series, series + 1);
        Ok(vol)
    }

    /// Takes a price for every series at the present spot and re-marks the chain. A price that is NaN or
    /// refused leaves its series without a volatility.
    ///
    /// # Errors
    /// [`LengthError`] when there is not one price per series; nothing changes then.
    pub fn imply_all(&mut self, prices: &[f64]) -> Result<(), LengthError> {
        same_length("prices", prices.len(), self.len())?;
        for expiry in 0..self.expiries.len() {
            let Expiry { exercise, from, to, .. } = self.expiries[expiry];
            match exercise {
                Exercise::European => self.imply_european(expiry, prices),
                Exercise::American => {
                    for (i, &price) in prices[from..to].iter().enumerate() {
                        let inputs = IvInputs::from_price(price, &self.inputs(expiry, from + i));
                        let vol = self.pricer.implied_vol(&inputs, self.right[from + i]);
                        self.store_vol(expiry, from + i, vol.unwrap_or(f64::NAN));
                    }
                }
            }
        }
        self.mark(self.spot);
        Ok(())
    }

    /// New time, rate or yield of an expiry; its marks follow at once.
    ///
    /// # Errors
    /// [`ModelError`] when there is no such expiry or a term is not finite.
    pub fn set_terms(&mut self, expiry: usize, terms: ExpiryTerms) -> Result<(), ModelError> {
        let known = self.expiries.len();
        in_range("expiry", expiry as f64, "the position of an expiry of this chain", |_| expiry < known)?;
        check(&terms)?;
        self.expiries[expiry].terms = terms;
        let (from, to) = (self.expiries[expiry].from, self.expiries[expiry].to);
        for series in from..to {
            self.store_vol(expiry, series, self.anchors.vol[series]);
        }
        self.remark_series(expiry, from, to);
        Ok(())
    }

    /// Re-marks every series at a new spot. NaN marks follow from a spot that is not positive and finite.
    pub fn mark(&mut self, spot: f64) {
        self.spot = if spot > 0.0 && spot.is_finite() { spot } else { f64::NAN };
        for expiry in 0..self.expiries.len() {
            self.remark_series(expiry, self.expiries[expiry].from, self.expiries[expiry].to);
        }
    }

    fn expiry_of(&self, series: usize) -> Result<usize, ModelError> {
        let expiry = self.expiries.partition_point(|e| e.to <= series);
        let known = series < self.len();
        in_range("series", series as f64, "the position of a series of this chain", |_| known)?;
        Ok(expiry)
    }

    fn inputs(&self, expiry: usize, series: usize) -> BsmInputs {
        let ExpiryTerms { years, rate, dividend_yield } = self.expiries[expiry].terms;
        let (strike, vol) = (self.anchors.strike[series], self.anchors.vol[series]);
        BsmInputs { spot: self.spot, strike, years, rate, dividend_yield, vol }
    }

    fn store_vol(&mut self, expiry: usize, series: usize, vol: f64) {
        let Expiry { terms, exercise, from, curves_from, .. } = self.expiries[expiry];
        self.anchors.set_vol(series, vol, &terms);
        if exercise == Exercise::American {
            let inputs = self.inputs(expiry, series);
            let curve = &mut self.curves[curves_from + series - from];
            curve.fit(&mut self.pricer, &inputs, self.right[series]);
        }
    }

    /// Implied volatilities of a European expiry from undiscounted prices, in chunks on the stack.
    fn imply_european(&mut self, expiry: usize, prices: &[f64]) {
        const CHUNK: usize = 64;
        let Expiry { terms, from, to, .. } = self.expiries[expiry];
        let ExpiryTerms { years, rate, dividend_yield } = terms;
        let forward = [self.spot * exp((rate - dividend_yield) * years); CHUNK];
        let years_column = [years; CHUNK];
        let growth = exp(rate * years);
        let (mut undiscounted, mut vol) = ([0.0; CHUNK], [0.0; CHUNK]);
        for at in (from..to).step_by(CHUNK) {
            let rows = CHUNK.min(to - at);
            for (undiscounted, price) in undiscounted.iter_mut().zip(&prices[at..at + rows]) {
                *undiscounted = price * growth;
            }
            let quotes = ForwardQuotes {
                price: &undiscounted[..rows],
                forward: &forward[..rows],
                strike: &self.anchors.strike[at..at + rows],
                years: &years_column[..rows],
                right: &self.right[at..at + rows],
            };
            if black_vols(&quotes, &mut vol[..rows]).is_err() {
                vol = [f64::NAN; CHUNK];
            }
            for (i, &vol) in vol[..rows].iter().enumerate() {
                self.anchors.set_vol(at + i, vol, &terms);
            }
        }
    }

    fn remark_series(&mut self, expiry: usize, from: usize, to: usize) {
        let Expiry { terms, exercise, from: first, curves_from, .. } = self.expiries[expiry];
        let shift = ln_ratio(self.spot, self.anchor);
        let [price, delta, gamma, vega, theta, rho] = &mut self.marks;
        let mut out = RiskColumns {
            price: &mut price[from..to],
            delta: &mut delta[from..to],
            gamma: &mut gamma[from..to],
            vega: &mut vega[from..to],
            theta: &mut theta[from..to],
            rho: &mut rho[from..to],
        };
        let tick = ChainTick { spot: self.spot, shift, terms, anchors: &self.anchors, from, to };
        simd::dispatch(remark(&tick, &mut out));
        if exercise == Exercise::American {
            let curves = &self.curves[curves_from + from - first..curves_from + to - first];
            tick.add_early_exercise(curves, &self.right[from..to], &mut self.pricer, &mut out);
        }
    }
}

fn check(terms: &ExpiryTerms) -> Result<(), ModelError> {
    in_range("years", terms.years, "0 or greater", |t| t >= 0.0)?;
    finite("rate", terms.rate)?;
    finite("dividend yield", terms.dividend_yield)?;
    Ok(())
}
