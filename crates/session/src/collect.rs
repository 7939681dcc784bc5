//! Reads what a run concluded off its derived events: counts, fills, notes, the fill band.

use onetape_engine::block::Block;
use onetape_engine::event::{Event, Execution, FillReason};
use onetape_engine::ids::{AccountIx, Seq};
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Money, Nanos, Price};
use serde::Serialize;

/// A booked fill with its place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookedFill {
    /// Seq of the fill event.
    pub seq: Seq,
    /// When the strategy learned of it.
    pub ts: Nanos,
    /// What was executed.
    pub execution: Execution,
    /// Account.
    pub account: AccountIx,
    /// Fee.
    pub fee: Money,
}

/// A strategy's remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoryLine {
    /// Event time.
    pub ts: Nanos,
    /// Text.
    pub text: String,
}

/// What the fills cost against the midpoints they met, and what other fill prices would have made of the run.
///
/// The band re-prices the run's own fills and changes nothing else: `x` of the quoted width paid
/// away from the midpoint moves the result by `x · width`, so the three points and the break-even
/// lie on one line. Fills that met a one-sided book carry no width and are counted in `unpriced`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FillBand {
    /// Result if every fill had been at the midpoint.
    pub mid: Money,
    /// Result as it was.
    pub actual: Money,
    /// Result if every fill had been at the opposite quote.
    pub natural: Money,
    /// Quoted width of all fills, in money.
    pub width: Money,
    /// Share of the width (in 1e-9; midpoint 0, opposite quote 0.5) at which the result is zero;
    /// `None` when no share between −1 and 1 does it.
    pub break_even: Option<Price>,
    /// Fills without a two-sided book.
    pub unpriced: u64,
}

/// Totals of a run.
#[derive(Debug, Clone, Default)]
pub struct Collector {
    /// Inputs seen.
    pub inputs: u64,
    /// Derived events seen.
    pub derived: u64,
    /// Orders submitted.
    pub orders: u64,
    /// Orders risk refused.
    pub refused: u64,
    /// Fills booked.
    pub fills: Vec<BookedFill>,
    /// Remarks.
    pub story: Vec<StoryLine>,
    /// Strategies stopped: (index, reason).
    pub stopped: Vec<(u16, String)>,
    /// Highest requirement at a mark.
    pub requirement_peak: Money,
    /// Lowest and highest equity at marks.
    pub equity_range: Option<(Money, Money)>,
    /// Settlements that had to use a stand-in for the published value.
    pub settlements_estimated: u64,
    last_ts: Nanos,
}

impl Collector {
    /// Takes a sealed block into account.
    pub fn observe(&mut self, block: &Block) {
        self.inputs += block.inputs.len() as u64;
        self.derived += block.derived.len() as u64;
        for (seq, derived) in block.derived() {
            self.last_ts = derived.ts;
            self.observe_event(seq, derived.ts, &derived.event);
        }
    }

    fn observe_event(&mut self, seq: Seq, ts: Nanos, event: &Event) {
        match event {
            Event::Submitted { .. } => self.orders += 1,
            Event::Risk { refused: Some(_), .. } => self.refused += 1,
            Event::Fill { execution, account, fee } => {
                self.fills.push(BookedFill { seq, ts, execution: *execution, account: *account, fee: *fee });
            }
            Event::Note { text, .. } => self.story.push(StoryLine { ts, text: text.clone() }),
            Event::StrategyStopped { strategy, reason } => {
                self.stopped.push((strategy.0, format!("{reason:?}").to_lowercase()));
            }
            Event::Mark { equity, requirement, .. } => {
                self.requirement_peak = self.requirement_peak.max(*requirement);
                let (low, high) = self.equity_range.unwrap_or((*equity, *equity));
                self.equity_range = Some((low.min(*equity), high.max(*equity)));
            }
            Event::Expired { estimated: true, .. } => self.settlements_estimated += 1,
            _ => {}
        }
    }

    /// The fill band around a result.
    pub fn fill_band(&self, actual: Money, instruments: &[InstrumentDef]) -> FillBand {
        let (mut slippage, mut width, mut unpriced) = (Money::ZERO, Money::ZERO, 0);
        for fill in &self.fills {
            let execution = &fill.execution;
            if execution.bid.0 <= 0 || execution.ask.0 <= 0 || execution.ask < execution.bid {
                unpriced += 1;
                continue;
            }
            let multiplier = instruments.get(execution.instrument.index()).map_or(1, |def| def.multiplier);
            let mid = Price::mid(execution.bid, execution.ask);
            slippage += (execution.price - mid).notional(execution.quantity, multiplier);
            width += (execution.ask - execution.bid).notional(execution.quantity.abs(), multiplier);
        }
        let mid = actual + slippage;
        let natural = mid - width.scaled(1, 2);
        let break_even = (width.0 > 0)
            .then(|| onetape_engine::num::div_half_even(mid.0 * 1_000_000_000, width.0))
            .filter(|share| share.abs() <= 1_000_000_000)
            .and_then(|share| i64::try_from(share).ok().map(Price));
        FillBand { mid, actual, natural, width, break_even, unpriced }
    }
}

/// Short text of a fill's justification rule.
pub fn reason_name(reason: FillReason) -> &'static str {
    match reason {
        FillReason::Taker => "taker",
        FillReason::Crossed => "crossed",
        FillReason::PrintThrough => "print_through",
        FillReason::PrintAt => "print_at",
        FillReason::Profile => "profile",
    }
}
