//! The causal chain of one order.
//!
//! Two passes over the journal: the first collects what the log itself says of the order and traces its
//! lots; the second runs the inputs again, watched, for what lies between the lines — the books at each
//! step, the figures of every risk check, what the strategy read in the callback that asked.

mod said;
mod seen;
mod story;

pub use story::{
    ArrivalStory, BookLine, Explanation, FillStory, ReadCounts, RiskStory, SeriesRead, SideLine,
    StrategyStory,
};

use super::pnl::OrderProfit;
use crate::error::RunError;
use onetape_engine::event::Event;
use onetape_engine::ids::{OrderIx, Seq};
use onetape_journal::JournalReader;
use onetape_strategies::Registry;
use said::Said;
use seen::Seen;

/// Explains an order of a run.
///
/// # Errors
/// No such order, a journal that cannot be read or re-run, or one whose events are not what its inputs
/// derive.
pub fn explain(reader: &JournalReader, registry: &Registry, order: OrderIx) -> Result<Explanation, RunError> {
    let mut said = Said::collect(reader, order)?;
    let Some((submit_seq, submitted)) = said.submitted.clone() else {
        let (path, orders) = (reader.path().to_string(), said.ledger.orders().len());
        return Err(RunError::NoSuchOrder { path, order: order.0, orders });
    };
    let Event::Submitted { strategy, package, .. } = submitted.event else {
        unreachable!("only submissions are kept there")
    };
    let seen = Seen::collect(reader, registry, order, &said, &package)?;
    let profit = profit_of_order(&mut said, &seen, order)?;
    let at = |seq: Seq| seen.views.iter().find(|view| view.before == seq);
    let books = |seq: Seq| at(seq).map(|view| said.books(view)).unwrap_or_default();
    let rendered = |seqs: &[Seq]| seqs.iter().filter_map(|seq| seen.entries.get(seq).cloned()).collect();
    let states: Vec<Seq> = said.events.iter().map(|(seq, _)| *seq).collect();
    Ok(Explanation {
        run_id: reader.header().run_id.clone(),
        order: order.0,
        legs: profit.legs.clone(),
        order_type: package.order_type,
        tif: package.tif,
        submit_seq,
        submit_ts: submitted.ts,
        trigger: rendered(&said.chain(submitted.cause)),
        books: books(submit_seq),
        strategy: said.strategy_story(strategy, at(submit_seq), &package, &seen),
        risk: said.risk_story(at),
        states: rendered(&states),
        arrival: said.arrival_story(&seen, books),
        fills: said.fill_stories(&seen, at),
        total: profit.profit(),
        profit,
    })
}

fn profit_of_order(said: &mut Said, seen: &Seen, order: OrderIx) -> Result<OrderProfit, RunError> {
    let ledger = std::mem::take(&mut said.ledger);
    let orders = match &seen.end_accounts {
        Some(accounts) => ledger.finish(said.end, accounts)?,
        None => ledger.orders().to_vec(),
    };
    Ok(orders[order.index()].clone())
}
