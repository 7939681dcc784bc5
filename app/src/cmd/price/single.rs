//! One option: price and Greeks from flags. Each flag is a column of the model, so one option is computed
//! by the formula of a row of a file.

use crate::Session;
use crate::cmd::csv_file;
use crate::failure::Failure;
use crate::report;
use clap::{Args, ValueEnum};
use onetape_analytics::batch::{
    self, BatchError, Formulas, One, OneError, PriceModel, RowError, Value, trader_unit,
};
use serde_json::{Map, json};

#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(crate) enum RightArg {
    #[value(alias = "c")]
    Call,
    #[value(alias = "p")]
    Put,
}

#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(crate) enum Style {
    European,
    American,
    Bermudan,
}

#[derive(Debug, Args)]
pub(crate) struct SingleArgs {
    /// Price of the underlying (of the forward for black76 and bachelier).
    #[arg(long, conflicts_with = "csv", allow_negative_numbers = true)]
    spot: Option<f64>,
    /// Strike.
    #[arg(long, conflicts_with = "csv", allow_negative_numbers = true)]
    strike: Option<f64>,
    /// Call or put.
    #[arg(long, value_enum, conflicts_with = "csv")]
    right: Option<RightArg>,
    /// Years to expiry.
    #[arg(long, conflicts_with = "csv")]
    years: Option<f64>,
    /// Expiry date, with --at.
    #[arg(long, value_name = "DATE", conflicts_with_all = ["csv", "years"], requires = "at")]
    expiry: Option<jiff::civil::Date>,
    /// Day of valuation, with --expiry.
    #[arg(long, value_name = "DATE", conflicts_with = "csv")]
    at: Option<jiff::civil::Date>,
    /// Interest rate per year, continuously compounded, per 1.00 [default: 0].
    #[arg(long, allow_negative_numbers = true, conflicts_with = "csv")]
    rate: Option<f64>,
    /// Dividend yield per year, continuously compounded, per 1.00 [default: 0].
    #[arg(long, allow_negative_numbers = true, conflicts_with = "csv")]
    div: Option<f64>,
    /// Cash dividend, repeatable: years to the ex-date and amount.
    #[arg(long, value_name = "T=AMOUNT", conflicts_with = "csv")]
    dividend: Vec<String>,
    /// When the holder may exercise.
    #[arg(long, value_enum, default_value = "european", conflicts_with = "csv")]
    style: Style,
    /// Equally spaced exercise dates of the Bermudan style [default: 12].
    #[arg(long, conflicts_with = "csv")]
    exercises: Option<usize>,
}

/// The columns that have a flag of their own.
const FLAGS: [(&str, &str); 11] = [
    ("S", "--spot"),
    ("F", "--spot"),
    ("K", "--strike"),
    ("T", "--years"),
    ("type", "--right"),
    ("r", "--rate"),
    ("q", "--div"),
    ("sigma", "--vol"),
    ("price", "--price"),
    ("undiscounted_price", "--price"),
    ("dividends_day:amount", "--dividend"),
];

impl SingleArgs {
    pub(crate) fn style(&self) -> Style {
        self.style
    }

    pub(crate) fn has_dividends(&self) -> bool {
        !self.dividend.is_empty()
    }

    /// The model that the flags mean: style and dividends refine `bsm`.
    pub(crate) fn model(&self, asked: PriceModel) -> Result<PriceModel, Failure> {
        let is_plain = matches!(asked, PriceModel::Bsm | PriceModel::American);
        Ok(match (asked, self.style) {
            (PriceModel::AmericanDiv, _) => asked,
            (_, Style::European | Style::American) if is_plain && self.has_dividends() => {
                PriceModel::AmericanDiv
            }
            _ if self.has_dividends() => {
                return Err(Failure::usage(
                    "--dividend goes with --model bsm or american and --style european or american",
                ));
            }
            (PriceModel::Bsm, Style::American) => PriceModel::American,
            (PriceModel::Bsm, Style::Bermudan) => PriceModel::Bermudan,
            (_, Style::European) => asked,
            (PriceModel::American, Style::American) | (PriceModel::Bermudan, Style::Bermudan) => asked,
            (PriceModel::Lattice, _) => {
                return Err(Failure::usage("--style: a tree takes --set exercise=american or european"));
            }
            _ => return Err(Failure::usage(format!("--style belongs to --model bsm, not {}", asked.name()))),
        })
    }

    fn years(&self) -> Result<Option<f64>, Failure> {
        match (self.years, self.expiry, self.at) {
            (Some(years), _, _) => Ok(Some(years)),
            (None, Some(expiry), Some(at)) => Ok(Some(f64::from((expiry - at).get_days()) / 365.0)),
            (None, None, Some(_)) => Err(Failure::usage("--at goes with --expiry DATE")),
            _ => Ok(None),
        }
    }

    /// `73:1.5` in days of 1/365 year for each `--dividend 0.2=1.5`.
    fn dividends(&self) -> Result<Option<String>, Failure> {
        let parse = |text: &String| {
            let bad =
                || Failure::usage(format!("--dividend: '{text}' is not YEARS=AMOUNT such as 0.25=0.52"));
            let (years, amount) = text.split_once('=').ok_or_else(bad)?;
            let number = |cell: &str| cell.trim().parse::<f64>().ok().filter(|x| x.is_finite() && *x >= 0.0);
            let (years, amount) = number(years).zip(number(amount)).ok_or_else(bad)?;
            Ok(format!("{}:{amount}", years * 365.0))
        };
        let parts = self.dividend.iter().map(parse).collect::<Result<Vec<_>, Failure>>()?;
        Ok(self.has_dividends().then(|| parts.join(";")))
    }

    /// The cells that the flags give, by column.
    fn cells(&self, reads: &dyn Fn(&str) -> bool) -> Result<Vec<(String, String)>, Failure> {
        let mut cells = Vec::new();
        let mut push = |column: &str, value: Option<String>| {
            if let Some(value) = value {
                cells.push((column.to_string(), value));
            }
        };
        let shown = |value: Option<f64>| value.map(|value| value.to_string());
        push(if reads("F") { "F" } else { "S" }, shown(self.spot));
        push("K", shown(self.strike));
        push("T", shown(self.years()?));
        push("r", shown(self.rate));
        push("q", shown(self.div));
        let right = |right| if right == RightArg::Call { "c" } else { "p" };
        push("type", self.right.map(|r| right(r).to_string()));
        push("dividends_day:amount", self.dividends()?);
        if self.has_dividends() && self.style == Style::European {
            push("exercise", Some("european".to_string()));
        }
        push("n_exercises", self.exercises.map(|n| n.to_string()));
        Ok(cells)
    }
}

/// What is asked about one option.
pub(crate) struct Question<'a> {
    /// Model and scheme in words.
    pub(crate) method: String,
    /// The formula.
    pub(crate) formulas: &'a Formulas,
    /// Cells without a flag of their own.
    pub(crate) constants: Vec<(String, String)>,
}

/// Computes one option; `extra` is the volatility or price among the flags.
pub(crate) fn evaluate(
    args: &SingleArgs,
    question: &Question<'_>,
    extra: Option<(&str, f64)>,
) -> Result<(Vec<(String, String)>, One), Failure> {
    let formula = (question.formulas)(&|column| question.constants.iter().any(|(name, _)| name == column));
    let reads = |column: &str| formula.columns().iter().any(|c| c.name == column);
    let mut cells = args.cells(&reads)?;
    cells.extend(extra.map(|(column, value)| (column.to_string(), value.to_string())));
    cells.extend(question.constants.iter().cloned());
    let has_dates = cells.iter().any(|(column, _)| column == "exercises_per_year");
    let mut defaults = vec![("r", "0"), ("q", "0")];
    if !has_dates {
        defaults.push(("n_exercises", "12"));
    }
    let is_given = |column: &str| {
        cells.iter().any(|(name, _)| name == column) || defaults.iter().any(|(n, _)| *n == column)
    };
    let missing: Vec<String> = formula
        .columns()
        .iter()
        .filter(|column| column.default.is_none() && !is_given(column.name))
        .map(|column| format!("{} ({})", flag(column.name), column.meaning))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::usage(format!(
            "{} needs {}. A whole file: --csv IN.csv",
            question.method,
            missing.join(", ")
        )));
    }
    let found = batch::one(question.formulas, &cells, &defaults).map_err(|error| match error {
        OneError::Columns(error) => columns(error),
        OneError::Row(error) => row(&error),
    })?;
    Ok((cells, found))
}

/// The flag that gives a column.
fn flag(column: &str) -> String {
    let found = FLAGS.iter().find(|(name, _)| *name == column);
    found.map_or(format!("--set {column}=VALUE"), |(_, flag)| (*flag).to_string())
}

fn columns(error: BatchError) -> Failure {
    match error {
        BatchError::Constant { column, why } => Failure::usage(format!("{}: {why}", flag(&column))),
        other => csv_file::failure(other),
    }
}

fn row(error: &RowError) -> Failure {
    match error {
        RowError::OutOfRange { column, .. }
        | RowError::NotANumber { column, .. }
        | RowError::Word { column, .. }
        | RowError::Empty { column } => Failure::usage(format!("{}: {error}", flag(column))),
        _ => Failure::input(error.to_string()),
    }
}

pub(crate) fn run(
    args: &SingleArgs,
    question: &Question<'_>,
    extra: Option<(&str, f64)>,
    session: &Session<'_>,
) -> Result<u8, Failure> {
    let (cells, found) = evaluate(args, question, extra)?;
    if session.json {
        let value = |value: &Value| match value {
            Value::Number(number) => json!(number),
            Value::Word(word) => json!(word),
            Value::Blank => serde_json::Value::Null,
        };
        let results: Map<_, _> =
            found.results.iter().map(|(name, v)| ((*name).to_string(), value(v))).collect();
        let inputs: Map<_, _> = cells
            .iter()
            .map(|(name, text)| (name.clone(), text.parse::<f64>().map_or(json!(text), |x| json!(x))))
            .collect();
        report::json(&json!({
            "method": question.method,
            "units": "raw: per 1.00 of volatility and rate, per year",
            "inputs": inputs,
            "result": results,
        }))?;
        return Ok(0);
    }
    let shown: Vec<String> = cells.iter().map(|(name, text)| format!("{name} {text}")).collect();
    report::line(&format!("{}: {}", question.method, shown.join("  ")));
    for (name, value) in &found.results {
        match (value, trader_unit(name, found.is_normal)) {
            (Value::Number(raw), Some(unit)) => {
                report::line(&format!("{name:<20}{:>18.8}  {}", raw * unit.factor, unit.name));
            }
            (Value::Number(raw), None) => report::line(&format!("{name:<20}{raw:>18}")),
            (Value::Word(word), _) => report::line(&format!("{name:<20}{word:>18}")),
            (Value::Blank, _) => report::line(&format!("{name:<20}{:>18}", "-")),
        }
    }
    Ok(0)
}
