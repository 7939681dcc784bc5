//! `onetape bench throughput`.

use crate::Session;
use crate::failure::Failure;
use crate::report;
use clap::{Args, ValueEnum};
use onetape_session::bench::{Part, ThroughputPlan, throughput};
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Only {
    Loop,
    Orders,
    Journal,
    MarketMaking,
}

impl From<Only> for Part {
    fn from(only: Only) -> Part {
        match only {
            Only::Loop => Part::Loop,
            Only::Orders => Part::Orders,
            Only::Journal => Part::Journal,
            Only::MarketMaking => Part::MarketMaking,
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape bench throughput --events 5000000\n  onetape bench throughput --repeat 5 --json > before.json\n  onetape bench throughput --session sessions/aig\n  onetape bench throughput --only market-making --repeat 5"
)]
pub(crate) struct ThroughputArgs {
    /// Quotes of the generated tape.
    #[arg(long, default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    events: u64,
    /// Orders of the longest order run.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    orders: u64,
    /// Measure this part alone (repeat the option for several).
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Only>,
    /// A recorded session whose inputs (as many as --events at most) go through the journal too.
    #[arg(long, value_name = "DIR")]
    session: Option<PathBuf>,
    /// Samples of each figure; `bench compare` needs two at least.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
}

pub(crate) fn run(args: &ThroughputArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let plan = ThroughputPlan {
        only: args.only.iter().copied().map(Part::from).collect(),
        events: args.events,
        orders: args.orders,
        session: args.session.clone(),
        repeat: args.repeat,
    };
    let found = throughput(&plan, &mut |what| report::note(session.quiet, what))?;
    if session.json {
        report::json(&found)?;
    } else {
        super::table(&found);
    }
    Ok(0)
}
