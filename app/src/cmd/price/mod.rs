//! `onetape price`.

pub(crate) mod single;

use super::csv_file::{self, FileArgs};
use crate::Session;
use crate::failure::Failure;
use clap::Args;
use clap::builder::PossibleValuesParser;
use onetape_analytics::batch::{Options, PriceModel, Slices};
use single::SingleArgs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape price --spot 100 --strike 105 --years 0.25 --vol 0.2 --rate 0.04 --right call\n  onetape price --spot 100 --strike 100 --years 0.5 --vol 0.25 --right put --style american --dividend 0.2=1.5\n  onetape price --csv options.csv --model american --scheme fast --out priced.csv\n  onetape price --csv options.csv --model bsm --set q=0 --out -\n\nColumns by model (all rates per 1.00 and year, T in years, type c or p):\n  bsm, american    type,S,K,T,r,q,sigma\n  black76, bachelier    type,F,K,T,r,sigma\n  american-div    type,S,K,T,r,sigma,dividends_day:amount [exercise,q]\n  bermudan    S,K,T,r,q,sigma,n_exercises [type]\n  lattice    lattice,exercise,type,S,K,T,r,q,sigma,steps\n  heston    type,S,K,T,r,q,v0,kappa,theta,sigma,rho\n  sabr    F,K,T,alpha,beta,nu,rho\n  svi    T,a,b,rho,m,sigma,k; without k the slice's jump wings and butterfly check\n  ssvi    rho,eta,gamma,atm_vol,atm_slope,T,k"
)]
pub(crate) struct PriceArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    single: SingleArgs,
    /// Volatility per 1.00 (bachelier: in price units).
    #[arg(long, conflicts_with = "csv", required_unless_present = "csv")]
    vol: Option<f64>,
    /// Model.
    #[arg(long, default_value = "bsm", value_parser = PossibleValuesParser::new(PriceModel::ALL.map(|(name, _)| name)))]
    model: String,
    /// Way of evaluation; american: high (default), accurate, fast, baw, bjerksund-stensland,
    /// finite-difference; american-div and --dividend: both, spot, escrowed.
    #[arg(long)]
    scheme: Option<String>,
    /// Prices without Greeks.
    #[arg(long, requires = "csv")]
    price_only: bool,
    /// File of SVI slices (id,T,a,b,rho,m,sigma) that the column slice_id names.
    #[arg(long, value_name = "SLICES.csv", requires = "csv")]
    slices: Option<PathBuf>,
}

pub(crate) fn run(args: &PriceArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let known = PriceModel::ALL.into_iter().find(|(name, _)| *name == args.model);
    let (_, model) = known.ok_or_else(|| Failure::usage(format!("--model: unknown '{}'", args.model)))?;
    if args.file.csv.is_none() {
        let (scheme, vol) = (args.scheme.as_deref(), args.vol.unwrap_or(f64::NAN));
        return single::run(&args.single, &args.model, scheme, vol, session);
    }
    let slices = args.slices.as_deref().map(|path| slices(path, model)).transpose()?;
    let options = Options { scheme: args.scheme.clone(), price_only: args.price_only, slices };
    let formulas = model.formulas(&options).map_err(csv_file::failure)?;
    csv_file::run(&args.file, &formulas, session)
}

fn slices(path: &Path, model: PriceModel) -> Result<Arc<Slices>, Failure> {
    if model != PriceModel::Svi {
        return Err(Failure::usage("--slices belongs to --model svi"));
    }
    let file = File::open(path).map_err(|error| Failure::io(path, &error))?;
    Slices::read(&path.display().to_string(), file).map(Arc::new).map_err(Failure::input)
}
