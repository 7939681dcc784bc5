//! The models a price file may ask for, by name.

use super::early::{American, AmericanScheme, Bermudan, CashDividends, DividendScheme, Tree};
use super::european::{Bachelier, Black76, Bsm};
use super::exotic::{Asian, Barrier};
use super::explain::{Explain, ExplainScheme};
use super::paths::{BasketOption, Dynamics, LeastSquares, Paths, SAMPLING};
use super::smile::{Bates, Heston, Sabr, Slices, Ssvi, Svi};
use super::{BatchError, Formulas};
use std::sync::Arc;

/// A model of a price file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceModel {
    /// European options on a spot price; 17 quantities.
    Bsm,
    /// European options on a forward.
    Black76,
    /// European options on a forward that diffuses normally.
    Bachelier,
    /// American options with a dividend yield.
    American,
    /// American or European options with cash dividends.
    AmericanDiv,
    /// Options with equally spaced exercise dates.
    Bermudan,
    /// European options under stochastic volatility.
    Heston,
    /// Black and normal volatility of Hagan's expansion.
    Sabr,
    /// Points of raw SVI slices, or (without a column `k`) their jump wings and smallest g.
    Svi,
    /// Points of an SSVI surface with their local volatility.
    Ssvi,
    /// Trees with a given number of steps.
    Lattice,
    /// European options under stochastic volatility with jumps.
    Bates,
    /// Single barriers, observed continuously, in closed form.
    Barrier,
    /// Options on the continuous arithmetic mean.
    Asian,
    /// P&L between two states of the market, split by cause.
    PnlExplain,
    /// Simulated pay-offs of a geometric Brownian motion.
    Mc,
    /// Simulated pay-offs under stochastic volatility.
    McHeston,
    /// Simulated pay-offs under jump diffusion.
    McMerton,
    /// Simulated pay-offs under the local volatility of a file of slices.
    McLocal,
    /// Simulated options on several assets.
    McBasket,
    /// Early exercise by least-squares Monte Carlo.
    Lsm,
}

/// How a model is to be evaluated.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The model's scheme by name; `None` takes its most exact one.
    pub scheme: Option<String>,
    /// Leave the Greeks out.
    pub price_only: bool,
    /// Greeks of the Bermudan engine too, whose differences cost twenty times the price.
    pub costly_greeks: bool,
    /// SVI slices that the column `slice_id` names.
    pub slices: Option<Arc<Slices>>,
}

impl PriceModel {
    /// Names on the command line.
    pub const ALL: [(&'static str, PriceModel); 21] = [
        ("bsm", PriceModel::Bsm),
        ("black76", PriceModel::Black76),
        ("bachelier", PriceModel::Bachelier),
        ("american", PriceModel::American),
        ("american-div", PriceModel::AmericanDiv),
        ("bermudan", PriceModel::Bermudan),
        ("heston", PriceModel::Heston),
        ("sabr", PriceModel::Sabr),
        ("svi", PriceModel::Svi),
        ("ssvi", PriceModel::Ssvi),
        ("lattice", PriceModel::Lattice),
        ("bates", PriceModel::Bates),
        ("barrier", PriceModel::Barrier),
        ("asian", PriceModel::Asian),
        ("pnl-explain", PriceModel::PnlExplain),
        ("mc", PriceModel::Mc),
        ("mc-heston", PriceModel::McHeston),
        ("mc-merton", PriceModel::McMerton),
        ("mc-local", PriceModel::McLocal),
        ("mc-basket", PriceModel::McBasket),
        ("lsm", PriceModel::Lsm),
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, model)| *model == self).map_or("bsm", |(name, _)| name)
    }

    /// The formula of a file.
    ///
    /// # Errors
    /// A scheme that the model does not have.
    pub fn formulas(self, options: &Options) -> Result<Formulas, BatchError> {
        let price_only = options.price_only;
        Ok(match self {
            PriceModel::American => {
                let scheme = scheme("american", options, &AmericanScheme::ALL)?;
                Box::new(move |_| Box::new(American { scheme, price_only }))
            }
            PriceModel::AmericanDiv => {
                let scheme = scheme("american-div", options, &DividendScheme::ALL)?;
                Box::new(move |_| Box::new(CashDividends { scheme, price_only }))
            }
            PriceModel::PnlExplain => {
                let scheme = scheme("pnl-explain", options, &ExplainScheme::ALL)?;
                Box::new(move |_| Box::new(Explain { scheme }))
            }
            PriceModel::Mc | PriceModel::McHeston | PriceModel::McMerton | PriceModel::McLocal => {
                let sampling = scheme(self.name(), options, &SAMPLING)?;
                let slices = options.slices.clone();
                if self == PriceModel::McLocal && slices.is_none() {
                    return Err(BatchError::NoSlices);
                }
                Box::new(move |_| {
                    let dynamics = match (self, &slices) {
                        (PriceModel::McHeston, _) => Dynamics::Heston,
                        (PriceModel::McMerton, _) => Dynamics::Merton,
                        (PriceModel::McLocal, Some(slices)) => Dynamics::Local(slices.clone()),
                        _ => Dynamics::Gbm,
                    };
                    Box::new(Paths { dynamics, sampling })
                })
            }
            PriceModel::McBasket => {
                let sampling = scheme("mc-basket", options, &SAMPLING)?;
                Box::new(move |_| Box::new(BasketOption { sampling }))
            }
            _ => {
                no_scheme(self.name(), options)?;
                self.plain(options)
            }
        })
    }

    /// Models with one way of evaluation.
    fn plain(self, options: &Options) -> Formulas {
        let price_only = options.price_only;
        match self {
            PriceModel::Bsm => Box::new(move |_| Box::new(Bsm { price_only })),
            PriceModel::Black76 => Box::new(move |_| Box::new(Black76 { price_only })),
            PriceModel::Bachelier => Box::new(move |_| Box::new(Bachelier { price_only })),
            PriceModel::Bermudan => {
                let price_only = price_only || !options.costly_greeks;
                Box::new(move |_| Box::new(Bermudan { price_only }))
            }
            PriceModel::Bates => Box::new(|_| Box::new(Bates)),
            PriceModel::Barrier => Box::new(|_| Box::new(Barrier)),
            PriceModel::Asian => Box::new(|_| Box::new(Asian)),
            PriceModel::Lsm => Box::new(|_| Box::new(LeastSquares)),
            PriceModel::Heston => Box::new(move |_| Box::new(Heston { price_only })),
            PriceModel::Sabr => Box::new(|_| Box::new(Sabr)),
            PriceModel::Svi => {
                let slices = options.slices.clone();
                Box::new(move |has_column| {
                    Box::new(match (&slices, has_column("k")) {
                        (Some(slices), _) => Svi::Joined(slices.clone()),
                        (None, true) => Svi::Point,
                        (None, false) => Svi::Slice,
                    })
                })
            }
            PriceModel::Ssvi => Box::new(|_| Box::new(Ssvi)),
            _ => Box::new(move |_| Box::new(Tree { price_only })),
        }
    }
}

/// The scheme that the options ask for; the first one without a wish.
pub(super) fn scheme<T: Copy>(
    model: &'static str,
    options: &Options,
    known: &[(&'static str, T)],
) -> Result<T, BatchError> {
    let Some(asked) = &options.scheme else { return Ok(known[0].1) };
    known.iter().find(|(name, _)| name == asked).map(|(_, scheme)| *scheme).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        BatchError::Scheme { model, scheme: asked.clone(), known: format!("it has {}", names.join(", ")) }
    })
}

pub(super) fn no_scheme(model: &'static str, options: &Options) -> Result<(), BatchError> {
    match &options.scheme {
        None => Ok(()),
        Some(scheme) => {
            let known = "leave --scheme out".to_string();
            Err(BatchError::Scheme { model, scheme: scheme.clone(), known })
        }
    }
}
