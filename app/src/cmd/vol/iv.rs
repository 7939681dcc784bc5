//! `onetape vol iv`.

use crate::Session;
use crate::cmd::csv_file::{self, FileArgs};
use crate::cmd::price::single::{self, SingleArgs, Style};
use crate::failure::Failure;
use crate::report;
use clap::Args;
use clap::builder::PossibleValuesParser;
use onetape_analytics::batch::{IvModel, Options, Value};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape vol iv --price 2.13 --spot 60 --strike 65 --years 0.25 --rate 0.08 --right call\n  onetape vol iv --csv prices.csv --out vols.csv\n  onetape vol iv --csv american.csv --model american --scheme fast --out vols.csv\n\nColumns by model (rates per 1.00 and year, T in years, type c or p; in brackets: may be absent):\n  black, normal    type,F,K,T,undiscounted_price\n  black76          type,F,K,T,r,price\n  bsm, american    type,S,K,T,r,q,price\n  american-div     type,S,K,T,r,price,dividends_day:amount [q,exercise]\n  bermudan         S,K,T,r,q,price,n_exercises or exercises_per_year [type]\n  lattice          type,S,K,T,r,q,price,lattice,exercise,steps\n\nThe result is column sigma: per 1.00 and square-root year, for normal in price units."
)]
pub(crate) struct IvArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    single: SingleArgs,
    /// Present value of the option (undiscounted for black and normal).
    #[arg(long, conflicts_with = "csv", allow_negative_numbers = true)]
    price: Option<f64>,
    /// Model [default: what the file's columns say, black, black76 or bsm; bsm or --style for one option].
    #[arg(long, value_parser = PossibleValuesParser::new(IvModel::ALL.map(|(name, _)| name)))]
    model: Option<String>,
    /// Scheme of american: high (default), accurate, fast, baw, bjerksund-stensland,
    /// bjerksund-stensland-1993, finite-difference; of american-div: spot (default), escrowed.
    #[arg(long)]
    scheme: Option<String>,
}

pub(crate) fn run(args: &IvArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let asked = args.model.as_deref().map(|name| {
        let known = IvModel::ALL.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, model)| model).ok_or_else(|| Failure::usage(format!("--model: unknown '{name}'")))
    });
    let asked = asked.transpose()?;
    let options = Options { scheme: args.scheme.clone(), ..Options::default() };
    if args.file.csv.is_none() {
        return one(args, asked, &options, session);
    }
    let formulas = match asked {
        Some(model) => model.formulas(&options),
        None if args.scheme.is_some() => IvModel::American.formulas(&options),
        None => IvModel::by_columns(&options),
    };
    csv_file::run(&args.file, &formulas.map_err(csv_file::failure)?, session)
}

/// One price; the spot flag is the forward of the models on forwards.
fn one(
    args: &IvArgs,
    asked: Option<IvModel>,
    options: &Options,
    session: &Session<'_>,
) -> Result<u8, Failure> {
    let model = match (asked, args.single.style()) {
        (None | Some(IvModel::American), _) if args.single.has_dividends() => IvModel::AmericanDiv,
        (Some(model), _) => model,
        (None, Style::American) => IvModel::American,
        (None, Style::European) => IvModel::Bsm,
        (None, Style::Bermudan) => IvModel::Bermudan,
    };
    let column =
        if matches!(model, IvModel::Black | IvModel::Normal) { "undiscounted_price" } else { "price" };
    let formulas = model.formulas(options).map_err(csv_file::failure)?;
    let question = single::Question {
        method: model.name().to_string(),
        formulas: &formulas,
        constants: csv_file::constants(&args.file.constants)?,
    };
    let (_, found) = single::evaluate(&args.single, &question, args.price.map(|price| (column, price)))?;
    let Some((_, Value::Number(vol))) = found.results.first() else {
        return Err(Failure::input("the model gives no volatility"));
    };
    if session.json {
        report::json(&serde_json::json!({ "model": model.name(), "vol": vol }))?;
    } else if model == IvModel::Normal {
        report::line(&format!("{vol:.12}  price units per square-root year (normal)"));
    } else {
        report::line(&format!("{:.10} %  per square-root year ({})", 100.0 * vol, model.name()));
    }
    Ok(0)
}
