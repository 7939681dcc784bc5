//! Smile models fitted to the expiries of a chain.

use super::heston::HestonSmile;
use super::slice::ExpirySlice;
use super::snapshot::ExpiryKey;
use onetape_pricing::ModelError;
use onetape_pricing::heston::calibrate::{Bounds, Calibration, VolQuote, calibrate};
use onetape_pricing::surface::compare::{SabrFit, SsviExpiry, SsviFit, fit_sabr, fit_ssvi};
use onetape_pricing::surface::fit::{ExpiryQuotes, SviFit, fit_surface};
use onetape_pricing::surface::ssvi::SsviSlice;
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
    /// The smile of a Heston model.
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
    if model == Model::Heston {
        used.retain(|s| s.years > HESTON_YEARS_MIN);
    }
    if used.is_empty() {
        return Err(ModelError::TooFew { what: "expiries with five two-sided quotes", needed: 1, found: 0 });
    }
    let (mut ssvi, mut heston) = (None, None);
    let smiles: Vec<Fitted> = match model {
        Model::Svi => {
            let expiries: Vec<ExpiryQuotes> =
                used.iter().map(|s| ExpiryQuotes { years: s.years, quotes: s.smile_quotes() }).collect();
            fit_surface(&expiries)?.into_iter().map(Fitted::Svi).collect()
        }
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
            let found = calibrate_heston(&used)?;
            let smiles = used.iter().map(|s| {
                let (low, high) = quoted_range(s);
                HestonSmile::new(found.model, s.years, low, high).map(|smile| Fitted::Heston(Box::new(smile)))
            });
            let smiles = smiles.collect::<Result<Vec<_>, _>>()?;
            heston = Some(found);
            smiles
        }
    };
    let mut expiries: Vec<FittedExpiry> = Vec::new();
    for (slice, smile) in used.into_iter().zip(smiles) {
        let found = judge(slice, smile, expiries.last());
        expiries.push(found);
    }
    Ok(FittedChain { expiries, ssvi, heston })
}

/// Expiries within a day say nothing about a diffusion that must also fit months.
const HESTON_YEARS_MIN: f64 = 1.0 / 365.0;

fn calibrate_heston(used: &[&ExpirySlice]) -> Result<Calibration, ModelError> {
    let quotes: Vec<VolQuote> = used
        .iter()
        .flat_map(|s| {
            s.smile_quotes().into_iter().map(|q| VolQuote {
                k: q.k,
                years: s.years,
                vol: q.vol,
                weight: q.weight,
            })
        })
        .collect();
    calibrate(&quotes, None, &Bounds::default())
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
