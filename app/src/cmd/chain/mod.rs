//! `onetape chain`.

mod analytics;
mod check;
mod table;

use super::market::MarketArgs;
use crate::Session;
use crate::failure::Failure;
use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape chain --expiry 2025-06-20 --at 10:00\n  onetape chain sessions/goog --symbol GOOG --expiry 2016-01-15 --at '2015-12-24 10:00' --json\n  onetape chain --analytics\n  onetape chain --check"
)]
pub(crate) struct ChainArgs {
    #[command(flatten)]
    market: MarketArgs,
    /// Expiry (2025-05-16, or ROOT:2025-05-16) [default: the nearest].
    #[arg(long, value_name = "DATE")]
    expiry: Option<String>,
    /// Strikes shown, nearest to the forward first; --json shows all.
    #[arg(long, default_value_t = 16, value_name = "N")]
    strikes: usize,
    /// Max pain, put/call ratios, skew, term structure, liquidity, open Greeks, dealer gamma and unusual
    /// volume instead of the chain.
    #[arg(long, conflicts_with_all = ["check", "strikes"])]
    analytics: bool,
    /// List arbitrage at natural prices and quotes off the fitted smile; exit code 1 if there are any.
    #[arg(long)]
    check: bool,
    /// Price edges that --check ignores.
    #[arg(long, default_value_t = 0.005, value_name = "PRICE", requires = "check")]
    tolerance: f64,
    /// Distance from the smile that --check ignores, volatility per 1.00.
    #[arg(long, default_value_t = 0.02, value_name = "VOL", requires = "check")]
    band: f64,
}

pub(crate) fn run(args: &ChainArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let market = args.market.take()?;
    if args.analytics || args.check {
        let mut slices = market.slices();
        if let Some(wanted) = &args.expiry {
            let key = market.expiry(Some(wanted))?;
            slices.retain(|slice| slice.key == key);
        }
        if slices.is_empty() {
            return Err(Failure::input("no expiry has enough live quotes for a forward at this time"));
        }
        return if args.check {
            check::run(&market, &slices, args.tolerance, args.band, session)
        } else {
            analytics::run(&market, &slices, session)
        };
    }
    let slice = market.slice(&market.expiry(args.expiry.as_deref())?)?;
    table::run(&market, &slice, args.strikes, session)
}
