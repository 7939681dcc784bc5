//! `onetape vol iv`.

use crate::Session;
use crate::cmd::csv_file::{self, FileArgs};
use crate::cmd::price::single::{SingleArgs, Style};
use crate::failure::Failure;
use crate::report;
use clap::Args;
use clap::builder::PossibleValuesParser;
use onetape_analytics::batch::{IvModel, Options};
use onetape_pricing::american::{self, Scheme};
use onetape_pricing::bsm::{self, IvInputs};
use onetape_pricing::iv::{ForwardQuote, black_vol, normal_vol};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape vol iv --price 2.13 --spot 60 --strike 65 --years 0.25 --rate 0.08 --right call\n  onetape vol iv --csv prices.csv --out vols.csv\n\nColumns by model (rates per 1.00 and year, T in years, type c or p):\n  black, normal    type,F,K,T,undiscounted_price\n  black76          type,F,K,T,r,price\n  bsm, american    type,S,K,T,r,q,price\n\nThe result is column sigma: per 1.00 and square-root year, for normal in price units."
)]
pub(crate) struct IvArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    single: SingleArgs,
    /// Present value of the option (undiscounted for black and normal).
    #[arg(long, conflicts_with = "csv", required_unless_present = "csv")]
    price: Option<f64>,
    /// Model [default: black for files, bsm or --style for one option].
    #[arg(long, value_parser = PossibleValuesParser::new(IvModel::ALL.map(|(name, _)| name)))]
    model: Option<String>,
    /// Scheme of american: high (default), accurate, fast.
    #[arg(long)]
    scheme: Option<String>,
}

pub(crate) fn run(args: &IvArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let asked = |name: &str| {
        let known = IvModel::ALL.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, model)| model).ok_or_else(|| Failure::usage(format!("--model: unknown '{name}'")))
    };
    if args.file.csv.is_none() {
        let model = match (&args.model, args.single.style()) {
            (Some(name), _) => asked(name)?,
            (None, Style::American) => IvModel::American,
            (None, Style::European) => IvModel::Bsm,
            (None, Style::Bermudan) => return Err(Failure::usage("--style takes european or american here")),
        };
        return one(args, model, session);
    }
    let model = asked(args.model.as_deref().unwrap_or("black"))?;
    let options = Options { scheme: args.scheme.clone(), ..Options::default() };
    let formulas = model.formulas(&options).map_err(csv_file::failure)?;
    csv_file::run(&args.file, &formulas, session)
}

/// One price; the spot flag is the forward of the models on forwards.
fn one(args: &IvArgs, model: IvModel, session: &Session<'_>) -> Result<u8, Failure> {
    let price = args.price.unwrap_or(f64::NAN);
    let terms = args.single.inputs(0.0)?;
    let right = args.single.right();
    let scheme = match args.scheme.as_deref() {
        None | Some("high") => Scheme::High,
        Some("accurate") => Scheme::Accurate,
        Some("fast") => Scheme::Fast,
        Some(other) => {
            return Err(Failure::usage(format!("--scheme: unknown '{other}'; high, accurate, fast")));
        }
    };
    let quote = ForwardQuote { price, forward: terms.spot, strike: terms.strike, years: terms.years };
    let inputs = IvInputs::from_price(price, &terms);
    let found = match model {
        IvModel::Black => black_vol(&quote, right),
        IvModel::Normal => normal_vol(&quote, right),
        // A forward is a spot whose yield equals the rate.
        IvModel::Black76 => bsm::implied_vol(&IvInputs { dividend_yield: inputs.rate, ..inputs }, right),
        IvModel::Bsm => bsm::implied_vol(&inputs, right),
        IvModel::American => american::implied_vol(&inputs, right, scheme),
    };
    let vol = found.map_err(|error| Failure::input(error.to_string()))?;
    if session.json {
        report::json(&serde_json::json!({ "model": model.name(), "vol": vol }))?;
    } else if model == IvModel::Normal {
        report::line(&format!("{vol:.12}  price units per square-root year (normal)"));
    } else {
        report::line(&format!("{:.10} %  per square-root year ({})", 100.0 * vol, model.name()));
    }
    Ok(0)
}
