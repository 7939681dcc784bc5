//! `onetape chain`.

mod analytics;
mod check;
mod follow;
mod forwards;
mod table;

use super::market::MarketArgs;
use crate::Session;
use crate::failure::Failure;
use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape chain --expiry 2025-06-20 --at 10:00\n  onetape chain sessions/goog --symbol GOOG --expiry 2016-01-15 --at '2015-12-24 10:00' --json\n  onetape chain --analytics\n  onetape chain --check\n  onetape chain --forwards --at 10:00\n  onetape chain --follow --from 09:45 --at 15:45 --every 30"
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
    /// Forwards, discount factors, carry, dividends and borrow of every expiry.
    #[arg(long, conflicts_with_all = ["check", "analytics", "strikes", "expiry"])]
    forwards: bool,
    /// Re-mark the whole chain on each tick of the underlying, in the loop, up to --at.
    #[arg(long, conflicts_with_all = ["check", "analytics", "strikes", "expiry", "forwards"])]
    follow: bool,
    /// First report of --follow [default: an hour before --at].
    #[arg(long, value_name = "TIME", requires = "follow")]
    from: Option<String>,
    /// Minutes between reports of --follow.
    #[arg(long, default_value_t = 10, value_name = "MINUTES", requires = "follow", value_parser = clap::value_parser!(u64).range(1..=1440))]
    every: u64,
    /// Dividend yield of the live chain of --follow, per 1.00.
    #[arg(
        long,
        default_value_t = 0.0,
        value_name = "YIELD",
        requires = "follow",
        allow_negative_numbers = true
    )]
    div: f64,
    /// Price edges that --check ignores.
    #[arg(long, default_value_t = 0.005, value_name = "PRICE", requires = "check")]
    tolerance: f64,
    /// Distance from the smile that --check ignores, volatility per 1.00.
    #[arg(long, default_value_t = 0.02, value_name = "VOL", requires = "check")]
    band: f64,
}

pub(crate) fn run(args: &ChainArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let market = args.market.take()?;
    if args.follow {
        return follow::run(args, &market, session);
    }
    if args.forwards {
        return forwards::run(&market, session);
    }
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
