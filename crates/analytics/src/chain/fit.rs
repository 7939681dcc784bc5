//! Smile models fitted to the expiries of a chain.

use super::heston::HestonSmile;
pub use super::heston::StochasticVol;
use super::slice::ExpirySlice;
use super::snapshot::ExpiryKey;
use onetape_pricing::ModelError;
use onetape_pricing::heston::calibrate::{
    BatesBounds, BatesCalibration, Bounds, Calibration, VolQuote, calibrate, calibrate_bates,
};
use onetape_pricing::surface::compare::{SabrFit, SsviExpiry, SsviFit, fit_sabr, fit_ssvi};
use onetape_pricing::surface::fit::{ExpiryQuotes, SmileQuote, SviFit, fit_surface, fit_svi};
use onetape_pricing::surface::ssvi::SsviSlice;
use onetape_pricing::surface::svi::RawSvi;
use onetape_pricing::surface::{Smile, VarianceJet};

/// A smile model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Raw SVI by expiry, each on or above the one before.
    Svi,
    /// One SSVI surface.
    Ssvi,
    /// SABR by expiry.
    Sabr,
    /// One Heston model for all expiries.
    Heston,
    /// One Bates model (Heston with jumps) for all expiries.
    Bates,
}

/// A fitted expiry.
#[derive(Debug, Clone)]
pub enum Fitted {
    /// SVI with its evidence.
    Svi(SviFit),
    /// A slice of an SSVI surface.
    Ssvi(SsviSlice),
    /// SABR with its evidence.
    Sabr(SabrFit),
    /// The smile of a Heston or Bates model.
    Heston(Box<HestonSmile>),
}

impl Smile for Fitted {
    fn jet(&self, k: f64) -> VarianceJet {
        match self {
            Fitted::Svi(fit) => fit.slice.jet(k),
            Fitted::Ssvi(slice) => slice.jet(k),
            Fitted::Sabr(fit) => fit.jet(k),
            Fitted::Heston(smile) => smile.jet(k),
        }
    }
}

/// An expiry of a fitted chain.
#[derive(Debug, Clone)]
pub struct FittedExpiry {
    /// Date and class root.
    pub key: ExpiryKey,
    /// Years to expiry.
    pub years: f64,
    /// Forward.
    pub forward: f64,
    /// The model.
    pub smile: Fitted,
    /// Root mean square error over the quotes, unweighted, volatility per 1.00.
    pub rmse_vol: f64,
    /// Largest error.
    pub worst_vol: f64,
    /// Share of the quotes whose fitted volatility lies inside the bid–ask band.
    pub inside_band: f64,
    /// Smallest value of Durrleman's function over the quotes' range; negative is butterfly arbitrage.
    pub min_g: f64,
    /// Smallest difference of total variance to the expiry before over the quotes' range; negative is
    /// calendar arbitrage. `None` for the first.
    pub calendar_gap: Option<f64>,
    /// Whether a fit was moved to remove arbitrage.
    pub was_repaired: bool,
    /// Quotes.
    pub quotes: usize,
}

/// A fitted chain.
#[derive(Debug, Clone)]
pub struct FittedChain {
    /// Expiries in ascending time.
    pub expiries: Vec<FittedExpiry>,
    /// The parameters that SSVI expiries share.
    pub ssvi: Option<SsviFit>,
    /// The Heston model that all expiries share.
    pub heston: Option<Calibration>,
    /// The Bates model that all expiries share.
    pub bates: Option<BatesCalibration>,
}

/// Fewest quotes of an expiry that takes part.
const QUOTES_MIN: usize = 5;

/// Fits `model` to every expiry with at least five two-sided out-of-the-money quotes; `beta` is SABR's.
///
/// # Errors
/// [`ModelError`] when no expiry qualifies or a fit fails.
pub fn fit(slices: &[ExpirySlice], model: Model, beta: f64) -> Result<FittedChain, ModelError> {
    let mut used: Vec<&ExpirySlice> =
        slices.iter().filter(|s| s.smile_quotes().len() >= QUOTES_MIN).collect();
    if matches!(model, Model::Heston | Model::Bates) {
        used.retain(|s| s.years > HESTON_YEARS_MIN);
    }
    if used.is_empty() {
        return Err(ModelError::TooFew { what: "expiries with five two-sided quotes", needed: 1, found: 0 });
    }
    let (mut ssvi, mut heston, mut bates) = (None, None, None);
    let smiles: Vec<Fitted> = match model {
        Model::Svi => fit_slices(&used)?.into_iter().map(Fitted::Svi).collect(),
        Model::Ssvi => {
            let found = fit_ssvi(&ssvi_expiries(&used))?;
            let slices =
                ssvi_expiries(&used).into_iter().map(|e| found.surface.slice(e.theta).map(Fitted::Ssvi));
            let slices = slices.collect::<Result<Vec<_>, _>>()?;
            ssvi = Some(found);
            slices
        }
        Model::Sabr => {
            let fits = used.iter().map(|s| {
                fit_sabr(&s.smile_quotes(), s.carry.forward.forward, s.years, beta).map(Fitted::Sabr)
            });
            fits.collect::<Result<_, _>>()?
        }
        Model::Heston => {
            let found = calibrate(&vol_quotes(&used), None, &Bounds::default())?;
            heston = Some(found);
            stochastic_smiles(&used, StochasticVol::Heston(found.model))?
        }
        Model::Bates => {
            let found = calibrate_bates(&vol_quotes(&used), None, &BatesBounds::default())?;
            bates = Some(found);
            stochastic_smiles(&used, StochasticVol::Bates(found.model))?
        }
    };
    let mut expiries: Vec<FittedExpiry> = Vec::new();
    for (slice, smile) in used.into_iter().zip(smiles) {
        let found = judge(slice, smile, expiries.last());
        expiries.push(found);
    }
    Ok(FittedChain { expiries, ssvi, heston, bates })
}

/// SVI by expiry. One SSVI surface of all expiries stands in with little weight where nothing is quoted: five
/// free parameters leave the wings of a noisy expiry anywhere, and each later expiry would have to lie above
/// them. If the slices still miss the quotes by more than that surface does, the surface's slices are the fit.
fn fit_slices(used: &[&ExpirySlice]) -> Result<Vec<SviFit>, ModelError> {
    let plain = || -> Vec<ExpiryQuotes> {
        used.iter().map(|s| ExpiryQuotes { years: s.years, quotes: s.smile_quotes() }).collect()
    };
    let stand_in = || -> Result<Vec<SsviSlice>, ModelError> {
        let expiries = ssvi_expiries(used);
        let surface = fit_ssvi(&expiries)?.surface;
        expiries.iter().map(|expiry| surface.slice(expiry.theta)).collect()
    };
    let Ok(stand_in) = stand_in() else { return fit_surface(&plain()) };
    let pairs = || used.iter().zip(&stand_in);
    let quotes: Vec<ExpiryQuotes> =
        pairs().map(|(s, ssvi)| ExpiryQuotes { years: s.years, quotes: anchored(s, ssvi) }).collect();
    let fits = fit_surface(&quotes)?;
    let slices: f64 = used.iter().zip(&fits).map(|(s, fit)| square_error(s, &fit.slice)).sum();
    let surface: f64 = pairs().map(|(s, ssvi)| square_error(s, ssvi)).sum();
    if slices <= surface {
        return Ok(fits);
    }
    let mut nearer: Option<RawSvi> = None;
    let slices = pairs().map(|(s, ssvi)| {
        let (slice, (low, high)) = (ssvi.natural().raw(), quoted_range(s));
        let gap = nearer.replace(slice).map_or(f64::INFINITY, |near| {
            let at = |n: u32| low + (high - low) * f64::from(n) / CHECKED as f64;
            let gaps = (0..=CHECKED as u32).map(|n| slice.total_variance(at(n)) - near.total_variance(at(n)));
            gaps.fold(f64::INFINITY, f64::min)
        });
        SviFit {
            slice,
            years: s.years,
            rmse_vol: f64::NAN,
            worst_vol: f64::NAN,
            butterfly: slice.butterfly(low, high),
            calendar_gap: gap,
            was_repaired: true,
        }
    });
    Ok(slices.collect())
}

/// Weight of a stand-in beside the mean weight of the quotes.
const ANCHOR_WEIGHT: f64 = 0.02;
/// Stand-ins beyond each end of the quotes.
const ANCHORS: u32 = 4;

/// The quotes of an expiry and stand-ins beyond them, to three standard deviations or half the range more.
pub(super) fn anchored(slice: &ExpirySlice, stand_in: &SsviSlice) -> Vec<SmileQuote> {
    let mut quotes = slice.smile_quotes();
    let weight = ANCHOR_WEIGHT * quotes.iter().map(|q| q.weight).sum::<f64>() / quotes.len().max(1) as f64;
    let (low, high) = quoted_range(slice);
    let reach = 3.0 * stand_in.theta.sqrt();
    for (end, far) in [(low, (1.5 * low).min(-reach)), (high, (1.5 * high).max(reach))] {
        for n in 1..=ANCHORS {
            let k = end + (far - end) * f64::from(n) / f64::from(ANCHORS);
            quotes.push(SmileQuote { k, vol: stand_in.implied_vol(k, slice.years), weight });
        }
    }
    quotes
}

/// The smile of one expiry alone, its wings held by a stand-in of its own.
pub(super) fn fit_alone(slice: &ExpirySlice) -> Result<SviFit, ModelError> {
    let quotes = || -> Result<Vec<SmileQuote>, ModelError> {
        let expiries = ssvi_expiries(&[slice]);
        let surface = fit_ssvi(&expiries)?.surface;
        Ok(anchored(slice, &surface.slice(expiries[0].theta)?))
    };
    fit_svi(&quotes().unwrap_or_else(|_| slice.smile_quotes()), slice.years, None)
}

/// Weighted squares of the volatility errors at the quotes.
fn square_error<S: Smile + ?Sized>(slice: &ExpirySlice, smile: &S) -> f64 {
    let errors = slice.smile_quotes().into_iter().map(|q| {
        let error = smile.implied_vol(q.k, slice.years) - q.vol;
        q.weight * error * error
    });
    errors.sum()
}

/// Expiries within a day say nothing about a diffusion that must also fit months.
const HESTON_YEARS_MIN: f64 = 1.0 / 365.0;

fn stochastic_smiles(used: &[&ExpirySlice], model: StochasticVol) -> Result<Vec<Fitted>, ModelError> {
    let smiles = used.iter().map(|s| {
        let (low, high) = quoted_range(s);
        HestonSmile::new(model, s.years, low, high).map(|smile| Fitted::Heston(Box::new(smile)))
    });
    smiles.collect()
}

fn vol_quotes(used: &[&ExpirySlice]) -> Vec<VolQuote> {
    let of = |s: &&ExpirySlice| {
        let years = s.years;
        s.smile_quotes().into_iter().map(move |q| VolQuote { k: q.k, years, vol: q.vol, weight: q.weight })
    };
    used.iter().flat_map(of).collect()
}

/// Log-moneynesses that are quoted, the forward among them.
fn quoted_range(slice: &ExpirySlice) -> (f64, f64) {
    let quotes = slice.smile_quotes();
    quotes.iter().fold((0.0, 0.0), |(low, high), q| (q.k.min(low), q.k.max(high)))
}

/// At-the-money variances made ascending: noise between near expiries is no arbitrage to model.
fn ssvi_expiries(used: &[&ExpirySlice]) -> Vec<SsviExpiry> {
    let mut floor = 0.0_f64;
    let expiries = used.iter().map(|s| {
        let vol = s.atm_vol().unwrap_or(0.0);
        floor = floor.max(vol * vol * s.years);
        SsviExpiry { years: s.years, theta: floor, quotes: s.smile_quotes() }
    });
    expiries.collect()
}

/// Points on which arbitrage is looked for.
const CHECKED: usize = 200;

fn judge(slice: &ExpirySlice, smile: Fitted, before: Option<&FittedExpiry>) -> FittedExpiry {
    let forward = slice.carry.forward.forward;
    let (mut squares, mut worst, mut inside, mut quotes) = (0.0, 0.0_f64, 0, 0);
    let (mut low, mut high) = (0.0_f64, 0.0_f64);
    for series in slice.out_of_the_money() {
        let [Some(bid), Some(mid), Some(ask)] = series.vols else { continue };
        let k = (series.strike / forward).ln();
        let vol = smile.implied_vol(k, slice.years);
        squares += (vol - mid) * (vol - mid);
        worst = worst.max((vol - mid).abs());
        inside += usize::from(bid <= vol && vol <= ask);
        quotes += 1;
        (low, high) = (low.min(k), high.max(k));
    }
    let grid: Vec<f64> = (0..=CHECKED).map(|i| low + (high - low) * i as f64 / CHECKED as f64).collect();
    let lowest = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
    let min_g = lowest(&mut grid.iter().map(|k| smile.jet(*k).durrleman(*k)));
    let calendar_gap = before.map(|near| {
        lowest(&mut grid.iter().map(|k| smile.total_variance(*k) - near.smile.total_variance(*k)))
    });
    FittedExpiry {
        key: slice.key.clone(),
        years: slice.years,
        forward,
        rmse_vol: (squares / f64::from(quotes.max(1))).sqrt(),
        worst_vol: worst,
        inside_band: inside as f64 / f64::from(quotes.max(1)),
        min_g,
        calendar_gap,
        was_repaired: matches!(&smile, Fitted::Svi(fit) if fit.was_repaired),
        quotes: quotes as usize,
        smile,
    }
}
