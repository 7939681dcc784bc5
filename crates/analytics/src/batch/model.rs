//! The models a price file may ask for, by name.

use super::early::{American, AmericanScheme, Bermudan, CashDividends, Tree};
use super::european::{Bachelier, Black76, Bsm};
use super::smile::{Heston, Sabr, Slices, Ssvi, Svi};
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
}

/// How a model is to be evaluated.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The model's scheme by name; `None` takes its most exact one.
    pub scheme: Option<String>,
    /// Leave the Greeks out.
    pub price_only: bool,
    /// SVI slices that the column `slice_id` names.
    pub slices: Option<Arc<Slices>>,
}

impl PriceModel {
    /// Names on the command line.
    pub const ALL: [(&'static str, PriceModel); 11] = [
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
                let both = ("both", (true, true));
                let known = [both, ("spot", (true, false)), ("escrowed", (false, true))];
                let (spot, escrowed) = scheme("american-div", options, &known)?;
                Box::new(move |_| Box::new(CashDividends { spot, escrowed }))
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
            PriceModel::Bermudan => Box::new(|_| Box::new(Bermudan)),
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
            _ => Box::new(|_| Box::new(Tree)),
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
