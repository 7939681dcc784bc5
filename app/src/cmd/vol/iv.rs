//! `onetape vol iv`.

use crate::Session;
use crate::cmd::csv_file::{self, FileArgs};
use crate::failure::Failure;
use clap::Args;
use clap::builder::PossibleValuesParser;
use onetape_analytics::batch::{IvModel, Options};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  onetape vol iv --csv prices.csv --out vols.csv\n\nColumns by model (rates per 1.00 and year, T in years, type c or p):\n  black, normal    type,F,K,T,undiscounted_price\n  black76          type,F,K,T,r,price\n  bsm, american    type,S,K,T,r,q,price\n\nThe result is column sigma: per 1.00 and square-root year, for normal in price units."
)]
pub(crate) struct IvArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Model.
    #[arg(long, default_value = "black", value_parser = PossibleValuesParser::new(IvModel::ALL.map(|(name, _)| name)))]
    model: String,
    /// Scheme of american: high (default), accurate, fast.
    #[arg(long)]
    scheme: Option<String>,
}

pub(crate) fn run(args: &IvArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let known = IvModel::ALL.into_iter().find(|(name, _)| *name == args.model);
    let (_, model) = known.ok_or_else(|| Failure::usage(format!("--model: unknown '{}'", args.model)))?;
    if args.file.csv.is_none() {
        return Err(Failure::usage("give a file with --csv IN.csv, or --csv - for stdin"));
    }
    let options = Options { scheme: args.scheme.clone(), ..Options::default() };
    let formulas = model.formulas(&options).map_err(csv_file::failure)?;
    csv_file::run(&args.file, &formulas, session)
}
