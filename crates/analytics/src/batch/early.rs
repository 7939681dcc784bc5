//! Early exercise: American options, with cash dividends, Bermudan options, and trees.

use super::european::{RATE, SPOT, SPOT_COLUMNS, STRIKE, TYPE, VOL, YEARS, YIELD, spot_inputs};
use super::row::RowError as E;
use super::{Column, Formula, Row, RowError, Value};
use onetape_pricing::american::{self, Scheme, approximations};
use onetape_pricing::bsm::BsmInputs;
use onetape_pricing::finite_difference::{self, Dividend, DividendModel, Exercise};
use onetape_pricing::lattice::{self, Lattice};
use onetape_pricing::{Right, bermudan};

const EXERCISE: Column = Column::new("exercise", "american or european");

fn exercise(row: &Row<'_>) -> Result<Exercise, RowError> {
    let words = [("american", Exercise::American), ("european", Exercise::European)];
    row.word("exercise", "american or european", &words)
}

/// How an American option is priced.
#[derive(Clone, Copy)]
pub(super) enum AmericanScheme {
    Collocation(Scheme),
    BaroneAdesiWhaley,
    BjerksundStensland,
    FiniteDifference,
}

impl AmericanScheme {
    pub(super) const ALL: [(&'static str, AmericanScheme); 6] = [
        ("high", AmericanScheme::Collocation(Scheme::High)),
        ("accurate", AmericanScheme::Collocation(Scheme::Accurate)),
        ("fast", AmericanScheme::Collocation(Scheme::Fast)),
        ("baw", AmericanScheme::BaroneAdesiWhaley),
        ("bjerksund-stensland", AmericanScheme::BjerksundStensland),
        ("finite-difference", AmericanScheme::FiniteDifference),
    ];
}

pub(super) struct American {
    pub(super) scheme: AmericanScheme,
    pub(super) price_only: bool,
}

impl Formula for American {
    fn columns(&self) -> &[Column] {
        &SPOT_COLUMNS
    }

    fn results(&self) -> &[&'static str] {
        const ALL: [&str; 7] = ["price", "delta", "gamma", "vega", "theta", "rho", "phi"];
        match self.scheme {
            AmericanScheme::Collocation(_) if !self.price_only => &ALL,
            _ => &ALL[..1],
        }
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let (inputs, right) = (bounded(spot_inputs(row)?)?, row.right()?);
        let price = match self.scheme {
            AmericanScheme::Collocation(scheme) if self.price_only => american::price(&inputs, right, scheme),
            AmericanScheme::Collocation(scheme) => {
                let g = american::greeks(&inputs, right, scheme);
                let values = [g.price, g.delta, g.gamma, g.vega, g.theta, g.rho, g.phi];
                out.extend(values.map(Value::Number));
                return Ok(());
            }
            AmericanScheme::BaroneAdesiWhaley => approximations::barone_adesi_whaley(&inputs, right),
            AmericanScheme::BjerksundStensland => approximations::bjerksund_stensland(&inputs, right),
            AmericanScheme::FiniteDifference => {
                finite_difference::price(&inputs, right, Exercise::American, &[], DividendModel::Spot)
            }
        };
        out.push(price.into());
        Ok(())
    }
}

pub(super) struct CashDividends {
    pub(super) spot: bool,
    pub(super) escrowed: bool,
}

const DIVIDENDS: &str = "dividends_day:amount";

impl Formula for CashDividends {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 9] = [
            TYPE,
            SPOT,
            STRIKE,
            YEARS,
            RATE,
            VOL,
            Column::new(DIVIDENDS, "cash dividends as DAY:AMOUNT;DAY:AMOUNT, calendar days from today"),
            EXERCISE.or("american"),
            YIELD.or("0"),
        ];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        const ALL: [&str; 2] = ["price_spot_model", "price_escrowed_model"];
        match (self.spot, self.escrowed) {
            (true, false) => &ALL[..1],
            (false, true) => &ALL[1..],
            _ => &ALL,
        }
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let inputs = positive_inputs(row)?;
        let (right, exercise, dividends) = (row.right()?, exercise(row)?, dividends(row)?);
        for (is_wanted, model) in [(self.spot, DividendModel::Spot), (self.escrowed, DividendModel::Escrowed)]
        {
            if is_wanted {
                let price = finite_difference::price(&inputs, right, exercise, &dividends, model);
                out.push(price.into());
            }
        }
        Ok(())
    }
}

/// Inputs of models that have no limits at zero.
fn positive_inputs(row: &Row<'_>) -> Result<BsmInputs, RowError> {
    bounded(BsmInputs {
        spot: row.positive("S")?,
        strike: row.positive("K")?,
        years: row.positive("T")?,
        rate: row.finite("r")?,
        dividend_yield: row.finite("q")?,
        vol: row.positive("sigma")?,
    })
}

/// Grids and quadratures cover a finite range; no market lies outside this one.
fn bounded(inputs: BsmInputs) -> Result<BsmInputs, RowError> {
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = inputs;
    let limits = [
        ("T", years, 1e3, "at most 1000 years"),
        ("r", rate, 1e2, "between -100 and 100"),
        ("q", dividend_yield, 1e2, "between -100 and 100"),
        ("sigma", vol, 1e3, "at most 1000"),
        ("S", spot, 1e100, "at most 1e100"),
        ("K", strike, 1e100, "at most 1e100"),
    ];
    for (column, value, most, expected) in limits {
        if value.abs() > most {
            return Err(E::OutOfRange { column, expected, value });
        }
    }
    Ok(inputs)
}

/// `53:3.22;65:0.65`; an empty cell is no dividend. Days are of 1/365 year.
fn dividends(row: &Row<'_>) -> Result<Vec<Dividend>, RowError> {
    let expected = "DAY:AMOUNT;DAY:AMOUNT with days and amounts 0 or greater";
    let cell = row.cell(DIVIDENDS);
    let text = std::str::from_utf8(cell).unwrap_or("?");
    let bad = || E::Word { column: DIVIDENDS, expected, text: text.chars().take(40).collect() };
    let number = |text: &str| -> Option<f64> {
        text.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0)
    };
    let parts = text.split(';').filter(|part| !part.trim().is_empty());
    parts
        .map(|part| {
            let (day, amount) = part.split_once(':').ok_or_else(bad)?;
            let (day, amount) = (number(day).ok_or_else(bad)?, number(amount).ok_or_else(bad)?);
            Ok(Dividend { years: day / 365.0, amount })
        })
        .collect()
}

pub(super) struct Bermudan;

/// More dates than this say the same as an American option.
const EXERCISES_MAX: u32 = 2_500;
/// Quadrature panels over all dates: a bound on the time one row may take (seconds).
const PANELS_MAX: f64 = 1e6;

/// About the panels that the induction needs: each date covers the distance from its critical price to
/// the highest one in steps of three standard deviations of one period.
fn panels(put: &BsmInputs, exercises: usize) -> f64 {
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *put;
    let drift = (rate - dividend_yield - 0.5 * vol * vol).abs() * years;
    let below = if dividend_yield > rate && rate > 0.0 { (dividend_yield / rate).ln() } else { 0.0 };
    let reach = (spot / strike).ln().abs() + 17.0 * vol * years.sqrt() + 2.0 * drift + below;
    let exercises = exercises as f64;
    exercises * (reach / (3.0 * vol * (years / exercises).sqrt()))
}

impl Formula for Bermudan {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 8] = [
            SPOT,
            STRIKE,
            VOL,
            YEARS,
            RATE,
            YIELD,
            Column::new("n_exercises", "equally spaced exercise dates, the last at expiry"),
            TYPE.or("p"),
        ];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        &["price"]
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let (inputs, right) = (positive_inputs(row)?, row.right()?);
        let exercises = row.count("n_exercises", EXERCISES_MAX, "a whole number from 1 to 2500")?;
        let put = match right {
            Right::Put => inputs,
            Right::Call => BsmInputs {
                spot: inputs.strike,
                strike: inputs.spot,
                rate: inputs.dividend_yield,
                dividend_yield: inputs.rate,
                ..inputs
            },
        };
        if put.rate < 0.0 && put.dividend_yield < put.rate && exercises > 1 {
            let column = if right == Right::Put { "q" } else { "r" };
            let expected = "no less than the negative rate it is carried against (two exercise boundaries)";
            return Err(E::OutOfRange { column, expected, value: put.dividend_yield });
        }
        if panels(&put, exercises) > PANELS_MAX {
            let expected = "larger beside the drift and the distance to the strike, or the dates fewer";
            return Err(E::OutOfRange { column: "sigma", expected, value: inputs.vol });
        }
        out.push(bermudan::price(&inputs, right, exercises).into());
        Ok(())
    }
}

pub(super) struct Tree;

/// The work grows with the square of the steps.
const STEPS_MAX: u32 = 20_000;

impl Formula for Tree {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 10] = [
            Column::new("lattice", "crr, lr or tri"),
            EXERCISE,
            TYPE,
            SPOT,
            STRIKE,
            YEARS,
            RATE,
            YIELD,
            VOL,
            Column::new("steps", "steps of the tree"),
        ];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        &["price"]
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let (inputs, right) = (positive_inputs(row)?, row.right()?);
        let kinds =
            [("crr", Lattice::CoxRossRubinstein), ("lr", Lattice::LeisenReimer), ("tri", Lattice::Trinomial)];
        let kind = row.word("lattice", "crr, lr or tri", &kinds)?;
        let steps = row.count("steps", STEPS_MAX, "a whole number from 1 to 20000")?;
        out.push(lattice::price(&inputs, right, exercise(row)?, kind, steps).into());
        Ok(())
    }
}
