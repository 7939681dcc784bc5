//! Questions to a finished run: why an order came about, what the state was, what each order made.
//!
//! The journal holds inputs and conclusions. What lies between them — books, headroom, what a strategy
//! looked at — comes from running the inputs again, watched; what is derived on the way must be what
//! the journal says.

mod compare;
mod explain;
mod pnl;
mod rerun;
mod state;

pub use compare::{OrderDiff, OrderResult, PositionDiff, ResultDiff, compare_results};
pub use explain::{
    ArrivalStory, BookLine, Explanation, FillStory, ReadCounts, RiskStory, SeriesRead, SideLine,
    StrategyStory, explain,
};
pub use pnl::{Exit, ExitBy, Ledger, OrderProfit, Remainder, profit_of};
pub use rerun::{EndState, end_state};
pub use state::{AccountState, HeldPosition, OpenOrder, StateAt, state_at};
