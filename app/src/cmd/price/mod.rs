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

const HELP: &str = "Examples:
  onetape price --spot 100 --strike 105 --years 0.25 --vol 0.2 --rate 0.04 --right call
  onetape price --spot 100 --strike 100 --years 0.5 --vol 0.25 --right put --style american --dividend 0.2=1.5
  onetape price --model heston --spot 100 --strike 80 --years 1 --right put --set v0=0.04 --set kappa=4 --set theta=0.25 --set sigma=1 --set rho=-0.5
  onetape price --model mc --set payoff=asian --set dates=12 --spot 100 --strike 100 --years 1 --vol 0.2 --right call
  onetape price --csv options.csv --model american --scheme fast --out priced.csv
  onetape price --csv quoted.csv --model bsm --set q=0 --units trader --check price=0.01 --check delta=0.005 --out -
  onetape price --csv moves.csv --model pnl-explain --out explained.csv

Columns by model (all rates per 1.00 and year, T in years, type c or p; in brackets: may be absent):
  bsm, american    type,S,K,T,r,q,sigma
  black76, bachelier    type,F,K,T,r,sigma
  american-div    type,S,K,T,r,sigma,dividends_day:amount [exercise,q]
  bermudan    S,K,T,r,q,sigma,n_exercises or exercises_per_year [type]
  lattice    lattice,exercise,type,S,K,T,r,q,sigma,steps
  heston    type,S,K,T,r,q,v0,kappa,theta,sigma,rho
  bates    as heston, and intensity,jump_mean,jump_vol
  sabr    F,K,T,alpha,beta,nu,rho
  svi    T,a,b,rho,m,sigma,k; without k the slice's jump wings and butterfly check; slice_id,k with --slices
  ssvi    rho,eta,gamma,atm_vol,atm_slope,T,k
  barrier    kind,type,barrier,S,K,T,r,sigma [rebate,q]
  asian    S,K,T,r,sigma [q,type]
  pnl-explain    type,S0,K,T0,r0,q,sigma0,S1,dt,r1,sigma1 [q1,quantity]
  mc    type,S,K,T,r,sigma [q,payoff,dates,paths,seed,kind,barrier,rebate]
  mc-heston, mc-merton, mc-local    as heston; mc and intensity,jump_mean,jump_vol; mc less sigma with --slices
  mc-basket    type,S,K,T,r,q,sigma,weights,correlation [paths,seed]: lists separated by semicolons
  lsm    S,K,sigma,T,r,n_exercises or exercises_per_year [q,type,paths,seed,terms]

Schemes: american high (default), accurate, fast, baw, bjerksund-stensland, bjerksund-stensland-1993,
finite-difference; american-div both (default), spot, escrowed, exact; mc sobol (default), antithetic,
independent; pnl-explain taylor (default), sequential.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct PriceArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    single: SingleArgs,
    /// Volatility per 1.00 (bachelier: in price units).
    #[arg(long, conflicts_with = "csv")]
    vol: Option<f64>,
    /// Model.
    #[arg(long, default_value = "bsm", value_parser = PossibleValuesParser::new(PriceModel::ALL.map(|(name, _)| name)))]
    model: String,
    /// Way of evaluation, by model: see below.
    #[arg(long)]
    scheme: Option<String>,
    /// Prices without Greeks.
    #[arg(long)]
    price_only: bool,
    /// Greeks of bermudan in a file too; they cost twenty times the prices.
    #[arg(long, requires = "csv", conflicts_with = "price_only")]
    greeks: bool,
    /// File of SVI slices (id,T,a,b,rho,m,sigma): those that the column slice_id names, or the surface
    /// of mc-local.
    #[arg(long, value_name = "SLICES.csv")]
    slices: Option<PathBuf>,
}

pub(crate) fn run(args: &PriceArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let known = PriceModel::ALL.into_iter().find(|(name, _)| *name == args.model);
    let (_, asked) = known.ok_or_else(|| Failure::usage(format!("--model: unknown '{}'", args.model)))?;
    let is_file = args.file.csv.is_some();
    let model = if is_file { asked } else { args.single.model(asked)? };
    let slices = args.slices.as_deref().map(|path| slices(path, model)).transpose()?;
    let scheme = match (&args.scheme, model) {
        // One option has one price: that of the spot model unless told otherwise.
        (None, PriceModel::AmericanDiv) if !is_file => Some("spot".to_string()),
        (scheme, _) => scheme.clone(),
    };
    let costly_greeks = args.greeks || !is_file;
    let options = Options { scheme, price_only: args.price_only, costly_greeks, slices };
    let formulas = model.formulas(&options).map_err(csv_file::failure)?;
    if is_file {
        return csv_file::run(&args.file, &formulas, session);
    }
    let vol = args.vol.map(|vol| ("sigma", vol));
    let question = single::Question {
        method: options.scheme.map_or(model.name().to_string(), |s| format!("{} ({s})", model.name())),
        formulas: &formulas,
        constants: csv_file::constants(&args.file.constants)?,
    };
    if vol.is_some() && matches!(model, PriceModel::Heston | PriceModel::Bates | PriceModel::McHeston) {
        return Err(Failure::usage(
            "--vol: this model's volatility is v0; give --set v0= and --set sigma= (of variance)",
        ));
    }
    single::run(&args.single, &question, vol, session)
}

fn slices(path: &Path, model: PriceModel) -> Result<Arc<Slices>, Failure> {
    if !matches!(model, PriceModel::Svi | PriceModel::McLocal) {
        return Err(Failure::usage("--slices belongs to --model svi and mc-local"));
    }
    let file = File::open(path).map_err(|error| Failure::io(path, &error))?;
    Slices::read(&path.display().to_string(), file).map(Arc::new).map_err(Failure::input)
}
