//! Implied volatility of each row.

use super::early::AmericanScheme;
use super::european::{FORWARD, RATE, SPOT, STRIKE, TYPE, YEARS, YIELD};
use super::model::{Options, scheme};
use super::{BatchError, Column, Formula, Formulas, Row, RowError, Value};
use onetape_pricing::american;
use onetape_pricing::bsm::{self, IvInputs};
use onetape_pricing::iv::{ForwardQuote, black_vol, normal_vol};

/// What an implied volatility is the volatility of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IvModel {
    /// Black, from undiscounted prices on a forward.
    Black,
    /// Bachelier, from undiscounted prices on a forward.
    Normal,
    /// Black, from present values on a forward.
    Black76,
    /// Black–Scholes–Merton, from present values on a spot price.
    Bsm,
    /// American exercise, from present values on a spot price.
    American,
}

impl IvModel {
    /// Names on the command line.
    pub const ALL: [(&'static str, IvModel); 5] = [
        ("black", IvModel::Black),
        ("normal", IvModel::Normal),
        ("black76", IvModel::Black76),
        ("bsm", IvModel::Bsm),
        ("american", IvModel::American),
    ];

    /// The formula of a file; it writes the column `sigma`.
    ///
    /// # Errors
    /// A scheme that the model does not have.
    pub fn formulas(self, options: &Options) -> Result<Formulas, BatchError> {
        let scheme = match self {
            IvModel::American => scheme("american", options, &AmericanScheme::ALL[..3])?,
            _ => {
                super::model::no_scheme(self.name(), options)?;
                AmericanScheme::ALL[0].1
            }
        };
        Ok(Box::new(move |_| Box::new(Implied { model: self, scheme })))
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, model)| *model == self).map_or("black", |(name, _)| name)
    }
}

struct Implied {
    model: IvModel,
    scheme: AmericanScheme,
}

const UNDISCOUNTED: Column =
    Column::new("undiscounted_price", "price of the option divided by the discount factor");
const PRICE: Column = Column::new("price", "present value of the option");

impl Formula for Implied {
    fn columns(&self) -> &[Column] {
        const ON_FORWARD: [Column; 5] = [TYPE, FORWARD, STRIKE, YEARS, UNDISCOUNTED];
        const DISCOUNTED: [Column; 6] = [TYPE, FORWARD, STRIKE, YEARS, RATE, PRICE];
        const ON_SPOT: [Column; 7] = [TYPE, SPOT, STRIKE, YEARS, RATE, YIELD, PRICE];
        match self.model {
            IvModel::Black | IvModel::Normal => &ON_FORWARD,
            IvModel::Black76 => &DISCOUNTED,
            IvModel::Bsm | IvModel::American => &ON_SPOT,
        }
    }

    fn results(&self) -> &[&'static str] {
        &["sigma"]
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let (strike, years, right) = (row.number("K")?, row.number("T")?, row.right()?);
        let vol = match self.model {
            IvModel::Black | IvModel::Normal => {
                let (price, forward) = (row.number("undiscounted_price")?, row.number("F")?);
                let quote = ForwardQuote { price, forward, strike, years };
                if self.model == IvModel::Black {
                    black_vol(&quote, right)?
                } else {
                    normal_vol(&quote, right)?
                }
            }
            IvModel::Black76 => {
                // A forward is a spot whose yield equals the rate.
                let (price, spot, rate) = (row.number("price")?, row.number("F")?, row.number("r")?);
                bsm::implied_vol(&IvInputs { price, spot, strike, years, rate, dividend_yield: rate }, right)?
            }
            IvModel::Bsm | IvModel::American => {
                let (price, spot) = (row.number("price")?, row.number("S")?);
                let (rate, dividend_yield) = (row.number("r")?, row.number("q")?);
                let inputs = IvInputs { price, spot, strike, years, rate, dividend_yield };
                match (self.model, self.scheme) {
                    (IvModel::American, AmericanScheme::Collocation(scheme)) => {
                        american::implied_vol(&inputs, right, scheme)?
                    }
                    _ => bsm::implied_vol(&inputs, right)?,
                }
            }
        };
        out.push(vol.into());
        Ok(())
    }
}
