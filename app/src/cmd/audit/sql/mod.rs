//! `onetape audit sql`: the run's tables under SQL. The database engine is built in by the feature `sql`.

#[cfg(feature = "sql")]
mod tables;

use super::RunArg;
use crate::Session;
use crate::failure::Failure;
use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape audit sql 3f2a 'select symbol, sum(quantity * price), sum(fee) from fills group by symbol'\n  onetape audit sql 3f2a 'select kind, count(*) from events group by kind order by 2 desc' --json\nTables: inputs, events, fills, orders, positions, with the columns of `audit export`; \"order\" and \"limit\" are quoted."
)]
pub(crate) struct SqlArgs {
    #[command(flatten)]
    run: RunArg,
    /// One query that reads (SQLite's dialect).
    query: String,
}

#[cfg(feature = "sql")]
pub(crate) fn run(args: &SqlArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let reader = args.run.open()?;
    let answer = tables::answer(&reader, &args.query)?;
    if session.json {
        crate::report::json(&answer)?;
    } else {
        tables::print(&answer);
    }
    Ok(0)
}

#[cfg(not(feature = "sql"))]
pub(crate) fn run(args: &SqlArgs, _: &Session<'_>) -> Result<u8, Failure> {
    let SqlArgs { run, query } = args;
    let run = run.find()?;
    Err(Failure::usage(format!(
        "this program was built without SQL, so '{query}' cannot be asked of {}; build it with\n  \
         cargo build --release --features sql\nor export the run (`onetape audit export RUN --parquet DIR`) for another tool",
        run.display()
    )))
}
