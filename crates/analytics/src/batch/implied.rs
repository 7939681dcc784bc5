//! Implied volatility of each row.

use super::early::{
    AmericanScheme, DIVIDEND_COLUMN, DividendScheme, EXERCISE, LATTICE, STEPS, bermudan_dates, dividends,
    exercise, tree,
};
use super::european::{FORWARD, RATE, SPOT, STRIKE, TYPE, YEARS, YIELD};
use super::model::{Options, no_scheme, scheme};
use super::paths::{EXERCISES, EXERCISES_PER_YEAR};
use super::{BatchError, Column, Formula, Formulas, Row, RowError, Value};
use onetape_pricing::bsm::{self, BsmInputs, IvInputs};
use onetape_pricing::finite_difference::{self, DividendModel};
use onetape_pricing::iv::{ForwardQuote, black_vol, normal_vol};
use onetape_pricing::{bermudan, lattice};

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
    /// American or European exercise with cash dividends.
    AmericanDiv,
    /// Equally spaced exercise dates.
    Bermudan,
    /// A tree with a given number of steps.
    Lattice,
}

impl IvModel {
    /// Names on the command line.
    pub const ALL: [(&'static str, IvModel); 8] = [
        ("black", IvModel::Black),
        ("normal", IvModel::Normal),
        ("black76", IvModel::Black76),
        ("bsm", IvModel::Bsm),
        ("american", IvModel::American),
        ("american-div", IvModel::AmericanDiv),
        ("bermudan", IvModel::Bermudan),
        ("lattice", IvModel::Lattice),
    ];

    /// The formula of a file; it writes the column `sigma`.
    ///
    /// # Errors
    /// A scheme that the model does not have.
    pub fn formulas(self, options: &Options) -> Result<Formulas, BatchError> {
        let mut american = AmericanScheme::ALL[0].1;
        let mut dividends = DividendModel::Spot;
        match self {
            IvModel::American => american = scheme("american", options, &AmericanScheme::ALL)?,
            IvModel::AmericanDiv => {
                let known = &DividendScheme::ALL[1..3];
                if scheme("american-div", options, known)? == DividendScheme::Escrowed {
                    dividends = DividendModel::Escrowed;
                }
            }
            _ => no_scheme(self.name(), options)?,
        }
        Ok(Box::new(move |_| Box::new(Implied { model: self, american, dividends })))
    }

    /// The formula of a file whose columns say the model: `undiscounted_price` is Black's, `price` with a
    /// forward Black-76's, `price` with a spot price Black–Scholes–Merton's.
    ///
    /// # Errors
    /// A scheme, which none of these has.
    pub fn by_columns(options: &Options) -> Result<Formulas, BatchError> {
        no_scheme(IvModel::Black.name(), options)?;
        let (american, dividends) = (AmericanScheme::ALL[0].1, DividendModel::Spot);
        Ok(Box::new(move |has| {
            let any = |column: Column| [column.name].iter().chain(column.aliases).any(|name| has(name));
            let model = match (any(FORWARD), any(SPOT), any(UNDISCOUNTED)) {
                (_, true, false) => IvModel::Bsm,
                (true, _, false) if any(PRICE) && any(RATE) => IvModel::Black76,
                _ => IvModel::Black,
            };
            Box::new(Implied { model, american, dividends })
        }))
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, model)| *model == self).map_or("black", |(name, _)| name)
    }
}

struct Implied {
    model: IvModel,
    american: AmericanScheme,
    dividends: DividendModel,
}

const UNDISCOUNTED: Column =
    Column::new("undiscounted_price", "price of the option divided by the discount factor");
const PRICE: Column = Column::new("price", "present value of the option");

impl Formula for Implied {
    fn columns(&self) -> &[Column] {
        const ON_FORWARD: [Column; 5] = [TYPE, FORWARD, STRIKE, YEARS, UNDISCOUNTED];
        const DISCOUNTED: [Column; 6] = [TYPE, FORWARD, STRIKE, YEARS, RATE, PRICE];
        const ON_SPOT: [Column; 7] = [TYPE, SPOT, STRIKE, YEARS, RATE, YIELD, PRICE];
        const WITH_DIVIDENDS: [Column; 9] =
            [TYPE, SPOT, STRIKE, YEARS, RATE, YIELD.or("0"), PRICE, DIVIDEND_COLUMN, EXERCISE.or("american")];
        const BERMUDAN: [Column; 9] = [
            TYPE.or("p"),
            SPOT,
            STRIKE,
            YEARS,
            RATE,
            YIELD,
            PRICE,
            EXERCISES.or(""),
            EXERCISES_PER_YEAR.or(""),
        ];
        const TREE: [Column; 10] = [TYPE, SPOT, STRIKE, YEARS, RATE, YIELD, PRICE, LATTICE, EXERCISE, STEPS];
        match self.model {
            IvModel::Black | IvModel::Normal => &ON_FORWARD,
            IvModel::Black76 => &DISCOUNTED,
            IvModel::Bsm | IvModel::American => &ON_SPOT,
            IvModel::AmericanDiv => &WITH_DIVIDENDS,
            IvModel::Bermudan => &BERMUDAN,
            IvModel::Lattice => &TREE,
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
            _ => {
                let (price, spot) = (row.number("price")?, row.number("S")?);
                let (rate, dividend_yield) = (row.number("r")?, row.number("q")?);
                let inputs = IvInputs { price, spot, strike, years, rate, dividend_yield };
                match self.model {
                    IvModel::American => self.american.implied_vol(&inputs, right)?,
                    IvModel::AmericanDiv => {
                        let (exercise, paid) = (exercise(row)?, dividends(row)?);
                        finite_difference::implied_vol(&inputs, right, exercise, &paid, self.dividends)?
                    }
                    IvModel::Bermudan => {
                        // The volatility is what is looked for; 20 % decides on the dates' bounds.
                        let terms = BsmInputs { spot, strike, years, rate, dividend_yield, vol: 0.2 };
                        let dates = bermudan_dates(row, &terms, right)?;
                        bermudan::implied_vol(&inputs, right, dates)?
                    }
                    IvModel::Lattice => {
                        let (kind, exercise, steps) = tree(row)?;
                        lattice::implied_vol(&inputs, right, exercise, kind, steps)?
                    }
                    _ => bsm::implied_vol(&inputs, right)?,
                }
            }
        };
        out.push(vol.into());
        Ok(())
    }

    fn is_normal(&self) -> bool {
        self.model == IvModel::Normal
    }
}
