//! Early exercise: American options, with cash dividends, Bermudan options, and trees.

use super::european::{RATE, SPOT, SPOT_COLUMNS, STRIKE, TYPE, VOL, YEARS, YIELD, spot_inputs};
use super::paths::{EXERCISES, EXERCISES_PER_YEAR, exercises};
use super::row::RowError as E;
use super::{Column, Formula, Row, RowError, Value};
use onetape_pricing::american::approximations::Approximation;
use onetape_pricing::american::one_dividend_call;
use onetape_pricing::american::{self, AmericanGreeks, Scheme};
use onetape_pricing::bsm::{BsmInputs, IvInputs};
use onetape_pricing::finite_difference::{self, Dividend, DividendModel, Exercise};
use onetape_pricing::lattice::{self, Lattice};
use onetape_pricing::{IvError, Right, bermudan};

pub(super) const EXERCISE: Column = Column::new("exercise", "american or european");

pub(super) fn exercise(row: &Row<'_>) -> Result<Exercise, RowError> {
    let words = [("american", Exercise::American), ("european", Exercise::European)];
    row.word("exercise", "american or european", &words)
}

/// How an American option is priced.
#[derive(Clone, Copy)]
pub(super) enum AmericanScheme {
    Collocation(Scheme),
    Approximation(Approximation),
    FiniteDifference,
}

/// The results of options with early exercise.
const GREEKS: [&str; 7] = ["price", "delta", "gamma", "vega", "theta", "rho", "phi"];

fn greeks(g: &AmericanGreeks, out: &mut Vec<Value>) {
    out.extend([g.price, g.delta, g.gamma, g.vega, g.theta, g.rho, g.phi].map(Value::Number));
}

/// Price and Greeks, or the price alone.
fn results(price_only: bool) -> &'static [&'static str] {
    if price_only { &GREEKS[..1] } else { &GREEKS }
}

impl AmericanScheme {
    pub(super) const ALL: [(&'static str, AmericanScheme); 7] = [
        ("high", AmericanScheme::Collocation(Scheme::High)),
        ("accurate", AmericanScheme::Collocation(Scheme::Accurate)),
        ("fast", AmericanScheme::Collocation(Scheme::Fast)),
        ("baw", AmericanScheme::Approximation(Approximation::BaroneAdesiWhaley)),
        ("bjerksund-stensland", AmericanScheme::Approximation(Approximation::BjerksundStensland)),
        ("bjerksund-stensland-1993", AmericanScheme::Approximation(Approximation::BjerksundStensland1993)),
        ("finite-difference", AmericanScheme::FiniteDifference),
    ];

    fn price(self, inputs: &BsmInputs, right: Right) -> f64 {
        match self {
            AmericanScheme::Collocation(scheme) => american::price(inputs, right, scheme),
            AmericanScheme::Approximation(formula) => formula.price(inputs, right),
            AmericanScheme::FiniteDifference => {
                finite_difference::price(inputs, right, Exercise::American, &[], DividendModel::Spot)
            }
        }
    }

    fn greeks(self, inputs: &BsmInputs, right: Right) -> AmericanGreeks {
        match self {
            AmericanScheme::Collocation(scheme) => american::greeks(inputs, right, scheme),
            AmericanScheme::Approximation(formula) => formula.greeks(inputs, right),
            AmericanScheme::FiniteDifference => {
                finite_difference::greeks(inputs, right, Exercise::American, &[], DividendModel::Spot)
            }
        }
    }

    pub(super) fn implied_vol(self, inputs: &IvInputs, right: Right) -> Result<f64, IvError> {
        match self {
            AmericanScheme::Collocation(scheme) => american::implied_vol(inputs, right, scheme),
            AmericanScheme::Approximation(formula) => formula.implied_vol(inputs, right),
            AmericanScheme::FiniteDifference => {
                finite_difference::implied_vol(inputs, right, Exercise::American, &[], DividendModel::Spot)
            }
        }
    }
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
        results(self.price_only)
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let (inputs, right) = (bounded(spot_inputs(row)?)?, row.right()?);
        if self.price_only {
            out.push(self.scheme.price(&inputs, right).into());
        } else {
            greeks(&self.scheme.greeks(&inputs, right), out);
        }
        Ok(())
    }
}

/// Which model of cash dividends.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum DividendScheme {
    Both,
    Spot,
    Escrowed,
    /// Both, for American calls with one dividend, by quadrature.
    Exact,
}

impl DividendScheme {
    pub(super) const ALL: [(&'static str, DividendScheme); 4] = [
        ("both", DividendScheme::Both),
        ("spot", DividendScheme::Spot),
        ("escrowed", DividendScheme::Escrowed),
        ("exact", DividendScheme::Exact),
    ];
}

pub(super) struct CashDividends {
    pub(super) scheme: DividendScheme,
    pub(super) price_only: bool,
}

const DIVIDENDS: &str = "dividends_day:amount";
pub(super) const DIVIDEND_COLUMN: Column =
    Column::new(DIVIDENDS, "cash dividends as DAY:AMOUNT;DAY:AMOUNT, calendar days from today")
        .also(&["dividends"]);

impl Formula for CashDividends {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 9] =
            [TYPE, SPOT, STRIKE, YEARS, RATE, VOL, DIVIDEND_COLUMN, EXERCISE.or("american"), YIELD.or("0")];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        const SPOT_MODEL: [&str; 7] = ["price_spot_model", "delta", "gamma", "vega", "theta", "rho", "phi"];
        const ESCROWED_MODEL: [&str; 7] =
            ["price_escrowed_model", "delta", "gamma", "vega", "theta", "rho", "phi"];
        match (self.scheme, self.price_only) {
            (DividendScheme::Both | DividendScheme::Exact, _) => {
                &["price_spot_model", "price_escrowed_model"]
            }
            (DividendScheme::Spot, true) => &SPOT_MODEL[..1],
            (DividendScheme::Spot, false) => &SPOT_MODEL,
            (DividendScheme::Escrowed, true) => &ESCROWED_MODEL[..1],
            (DividendScheme::Escrowed, false) => &ESCROWED_MODEL,
        }
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        const BOTH: [DividendModel; 2] = [DividendModel::Spot, DividendModel::Escrowed];
        let inputs = positive_inputs(row)?;
        let (right, exercise, dividends) = (row.right()?, exercise(row)?, dividends(row)?);
        let one = match self.scheme {
            DividendScheme::Both => {
                check_escrow(&inputs, &dividends)?;
                let price = |model| finite_difference::price(&inputs, right, exercise, &dividends, model);
                out.extend(BOTH.map(|model| Value::Number(price(model))));
                return Ok(());
            }
            DividendScheme::Exact => {
                let dividend = one_dividend(&inputs, right, exercise, &dividends)?;
                check_escrow(&inputs, &dividends)?;
                let price = |model| one_dividend_call(&inputs, dividend, model);
                out.extend(BOTH.map(|model| Value::Number(price(model))));
                return Ok(());
            }
            DividendScheme::Spot => DividendModel::Spot,
            DividendScheme::Escrowed => {
                check_escrow(&inputs, &dividends)?;
                DividendModel::Escrowed
            }
        };
        if self.price_only {
            out.push(finite_difference::price(&inputs, right, exercise, &dividends, one).into());
        } else {
            greeks(&finite_difference::greeks(&inputs, right, exercise, &dividends, one), out);
        }
        Ok(())
    }
}

/// The escrowed model diffuses the spot less the dividends' present value, which must leave something.
fn check_escrow(inputs: &BsmInputs, dividends: &[Dividend]) -> Result<(), RowError> {
    let paid = dividends.iter().filter(|d| d.years > 0.0 && d.years <= inputs.years);
    let value: f64 = paid.map(|d| d.amount * (-inputs.rate * d.years).exp()).sum();
    if value < inputs.spot {
        return Ok(());
    }
    let expected = "a present value below the spot in the escrowed model (--scheme spot has no such limit)";
    Err(E::OutOfRange { column: DIVIDENDS, expected, value })
}

/// The dividend of an option that the exact method covers.
fn one_dividend(
    inputs: &BsmInputs,
    right: Right,
    exercise: Exercise,
    dividends: &[Dividend],
) -> Result<Dividend, RowError> {
    let word = |column, expected, text: &str| E::Word { column, expected, text: text.to_string() };
    if right != Right::Call {
        return Err(word("type", "c: scheme exact is of American calls with one dividend", "p"));
    }
    if exercise != Exercise::American {
        return Err(word("exercise", "american for scheme exact", "european"));
    }
    if inputs.dividend_yield != 0.0 {
        let expected = "0 for scheme exact";
        return Err(E::OutOfRange { column: "q", expected, value: inputs.dividend_yield });
    }
    match dividends {
        [one] => Ok(*one),
        _ => Err(E::OutOfRange {
            column: DIVIDENDS,
            expected: "one dividend for scheme exact",
            value: dividends.len() as f64,
        }),
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
pub(super) fn dividends(row: &Row<'_>) -> Result<Vec<Dividend>, RowError> {
    let expected = "DAY:AMOUNT;DAY:AMOUNT with days and amounts 0 or greater";
    let cell = row.cell(DIVIDENDS);
    let text = std::str::from_utf8(cell).unwrap_or("?");
    let bad = || E::Word { column: DIVIDENDS, expected, text: text.chars().take(40).collect() };
    let number = |text: &str| -> Option<f64> {
        text.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0)
    };
    let parts = text.split(';').filter(|part| !part.trim().is_empty());
    let count = parts.clone().count();
    if count > finite_difference::DIVIDENDS_MAX {
        let expected = "at most 500 dividends";
        return Err(E::OutOfRange { column: DIVIDENDS, expected, value: count as f64 });
    }
    parts
        .map(|part| {
            let (day, amount) = part.split_once(':').ok_or_else(bad)?;
            let (day, amount) = (number(day).ok_or_else(bad)?, number(amount).ok_or_else(bad)?);
            Ok(Dividend { years: day / 365.0, amount })
        })
        .collect()
}

pub(super) struct Bermudan {
    pub(super) price_only: bool,
}

/// Quadrature panels over all dates: a bound on the time one row may take (seconds).
const PANELS_MAX: f64 = 4.5e5;
const PANELS_PER_DATE_MAX: f64 = 9e3;

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
        const ALL: [Column; 9] = [
            SPOT,
            STRIKE,
            VOL,
            YEARS,
            RATE,
            YIELD,
            EXERCISES.or(""),
            EXERCISES_PER_YEAR.or(""),
            TYPE.or("p"),
        ];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        results(self.price_only)
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let (inputs, right) = (positive_inputs(row)?, row.right()?);
        let exercises = bermudan_dates(row, &inputs, right)?;
        if self.price_only {
            out.push(bermudan::price(&inputs, right, exercises).into());
        } else {
            greeks(&bermudan::greeks(&inputs, right, exercises), out);
        }
        Ok(())
    }
}

/// The exercise dates of a row that the method covers.
pub(super) fn bermudan_dates(row: &Row<'_>, inputs: &BsmInputs, right: Right) -> Result<usize, RowError> {
    let exercises =
        exercises(row, inputs.years, bermudan::EXERCISES_MAX as u32, "a whole number from 1 to 2000")?;
    let put = match right {
        Right::Put => *inputs,
        Right::Call => BsmInputs {
            spot: inputs.strike,
            strike: inputs.spot,
            rate: inputs.dividend_yield,
            dividend_yield: inputs.rate,
            ..*inputs
        },
    };
    let needed = panels(&put, exercises);
    if needed > PANELS_MAX || needed > PANELS_PER_DATE_MAX * exercises as f64 {
        let expected = "larger beside the drift and the distance to the strike, or the dates fewer";
        return Err(E::OutOfRange { column: "sigma", expected, value: inputs.vol });
    }
    Ok(exercises)
}

pub(super) struct Tree {
    pub(super) price_only: bool,
}

/// The work grows with the square of the steps.
const STEPS_MAX: u32 = 20_000;

impl Formula for Tree {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 10] = [LATTICE, EXERCISE, TYPE, SPOT, STRIKE, YEARS, RATE, YIELD, VOL, STEPS];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        results(self.price_only)
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let (inputs, right) = (positive_inputs(row)?, row.right()?);
        let (kind, exercise, steps) = tree(row)?;
        if self.price_only || steps < 3 {
            out.push(lattice::price(&inputs, right, exercise, kind, steps).into());
            // Greeks are read off the first three steps.
            out.resize(self.results().len(), Value::Blank);
        } else {
            greeks(&lattice::greeks(&inputs, right, exercise, kind, steps), out);
        }
        Ok(())
    }
}

pub(super) const LATTICE: Column = Column::new("lattice", "crr, lr or tri");
pub(super) const STEPS: Column = Column::new("steps", "steps of the tree");

/// Kind, exercise and steps of a row's tree.
pub(super) fn tree(row: &Row<'_>) -> Result<(Lattice, Exercise, usize), RowError> {
    let kinds =
        [("crr", Lattice::CoxRossRubinstein), ("lr", Lattice::LeisenReimer), ("tri", Lattice::Trinomial)];
    let kind = row.word("lattice", "crr, lr or tri", &kinds)?;
    Ok((kind, exercise(row)?, row.count("steps", STEPS_MAX, "a whole number from 1 to 20000")?))
}
