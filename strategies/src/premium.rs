//! A short-premium position from entry to exit: sold for a credit, closed at a target, a loss or a time.
//!
//! - Legs are worked by [`Walk`], in and out.
//! - Profit: closing at natural prices (shorts bought at the ask, longs sold at the bid, at nothing
//!   where there is no bid) costs at most credit × (1 − `profit_target`).
//! - Loss: closing costs at least credit × (1 + `loss_multiple`) for 2 seconds of event time, so a
//!   multiple of 2 buys back at three times the credit. `loss_at` says where that cost is taken: at
//!   midpoints (a missing bid counts as zero), which wide quotes do not trigger, or at natural prices.
//! - While a leg has no live ask it is not judged. Credit and costs are before fees.
//! - An entry that is not complete 20 advances after its last step, or refused, is cancelled and
//!   what was filled is closed.
//! - Whatever happens, it is closed at its deadline.
//! - An exit never gives up a short. Long legs that nobody bids for, or whose bids did not suffice for
//!   20 advances, are left over; those that are bid for at the deadline are offered once more, the
//!   rest expires.

use crate::params::{self, param};
use crate::walk::Walk;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::{Nanos, SCALE, SECOND};
use onetape_engine::strategy::{Ctx, FillReport, OrderUpdate, Param, ParamError};
use onetape_engine::{Money, Price, Qty};
use serde::{Deserialize, Serialize};

const PATIENCE: u32 = 20;
const LOSS_PERSISTENCE_NS: u64 = 2 * SECOND;

/// Where the cost of closing is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    Mid,
    Natural,
}

impl Source {
    /// Name, as the parameter has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Source::Mid => "mid",
            Source::Natural => "natural",
        }
    }
}

/// How a position is worked and when it is closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rules {
    /// Fraction of the credit to keep.
    pub(crate) profit_target: Price,
    /// Loss in credits.
    pub(crate) loss_multiple: Price,
    /// Prices that the loss is taken at.
    pub(crate) loss_at: Source,
    /// Steps from mid to natural.
    pub(crate) steps: u32,
    /// Seconds between steps.
    pub(crate) step_seconds: u32,
}

/// Why a position was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ExitReason {
    ProfitTarget,
    Loss,
    Time,
    /// The entry was not completed.
    Incomplete,
}

/// Where a position stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Idle,
    Entering,
    Holding,
    Exiting(ExitReason),
    Closed(ExitReason),
}

/// The position. Its owner forwards callbacks and timers, and reads the stage afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShortPremium {
    pub(crate) stage: Stage,
    /// Cash of the entry before fees.
    pub(crate) credit: Money,
    /// Cash of the exit before fees; paid is negative.
    pub(crate) exit_cash: Money,
    /// Fees in and out.
    pub(crate) fees: Money,
    /// Whether an order was refused.
    pub(crate) is_refused: bool,
    /// Cash of leftovers sold at the deadline, until its owner takes it.
    pub(crate) salvaged: Option<Money>,
    leftover: Vec<(InstrumentIx, Qty)>,
    legs: Vec<(InstrumentIx, Qty)>,
    walk: Option<Walk>,
    loss_since: Option<Nanos>,
    deadline: Nanos,
    timer_id: u64,
    group: u32,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            profit_target: Price(SCALE / 2),
            loss_multiple: Price(2 * SCALE),
            loss_at: Source::Mid,
            steps: 4,
            step_seconds: 15,
        }
    }
}

impl Rules {
    /// The rules as parameters.
    pub(crate) fn params(&self) -> Vec<Param> {
        vec![
            param("profit_target", self.profit_target, "fraction of the credit to keep, 0 to 1"),
            param("loss_multiple", self.loss_multiple, "loss in credits that closes, 0 to 100"),
            param("loss_at", self.loss_at.name(), "prices that the loss is taken at: mid or natural"),
            param("steps", self.steps, "steps from mid to natural, 1 to 20"),
            param("step_seconds", self.step_seconds, "seconds between steps, 1 to 3600"),
        ]
    }

    /// Sets one of the rules; `false` when the key is none of them.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<bool, ParamError> {
        match key {
            "profit_target" => self.profit_target = params::decimal(key, value, 0, 1)?,
            "loss_multiple" => self.loss_multiple = params::decimal(key, value, 0, 100)?,
            "loss_at" if value == "mid" => self.loss_at = Source::Mid,
            "loss_at" if value == "natural" => self.loss_at = Source::Natural,
            "loss_at" => return Err(params::invalid(key, value, "mid or natural")),
            "steps" => self.steps = params::whole(key, value, 1, 20)?,
            "step_seconds" => self.step_seconds = params::whole(key, value, 1, 3600)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl ShortPremium {
    /// An empty place for a position that rings timers `timer_id` (steps) and `timer_id + 1` (judgements)
    /// and uses groups `group` and `group + 1`.
    pub(crate) fn new(timer_id: u64, group: u32) -> ShortPremium {
        ShortPremium {
            stage: Stage::Idle,
            credit: Money::ZERO,
            exit_cash: Money::ZERO,
            fees: Money::ZERO,
            is_refused: false,
            salvaged: None,
            leftover: Vec::new(),
            legs: Vec::new(),
            walk: None,
            loss_since: None,
            deadline: Nanos::MAX,
            timer_id,
            group,
        }
    }

    /// A group number that a following position may use.
    pub(crate) fn next_group(&self) -> u32 {
        self.group.wrapping_add(2)
    }

    fn next_step(&self, ctx: &mut Ctx<'_>, rules: &Rules) {
        let due = ctx.now().after(u64::from(rules.step_seconds) * SECOND);
        ctx.timer(due, self.timer_id);
    }

    /// Begins to sell the legs (signed quantities), to be closed at `deadline` at the latest.
    pub(crate) fn enter(
        &mut self,
        ctx: &mut Ctx<'_>,
        legs: Vec<(InstrumentIx, Qty)>,
        deadline: Nanos,
        rules: &Rules,
    ) {
        self.deadline = deadline;
        ctx.timer(deadline, self.timer_id + 1);
        self.walk = Some(Walk::start(ctx, &legs, self.group, 1, rules.steps));
        self.legs = legs;
        self.stage = Stage::Entering;
        self.next_step(ctx, rules);
    }

    /// Profit or loss after fees.
    pub(crate) fn result(&self) -> Money {
        self.credit + self.exit_cash - self.fees
    }

    /// What closing costs now; `None` while a leg has no live ask.
    pub(crate) fn cost_to_close(&self, ctx: &Ctx<'_>, source: Source) -> Option<Money> {
        let now = ctx.now();
        self.legs.iter().try_fold(Money::ZERO, |sum, &(instrument, quantity)| {
            let top = ctx.top(instrument)?;
            let multiplier = ctx.instrument(instrument)?.multiplier;
            let ask = top.live_ask(now)?.price;
            let bid = top.live_bid(now).map_or(Price::ZERO, |side| side.price);
            let price = match source {
                Source::Mid => Price::mid(bid, ask),
                Source::Natural if quantity.0 < 0 => ask,
                Source::Natural => bid,
            };
            Some(sum - price.notional(quantity, multiplier))
        })
    }

    /// Judges the position after a quote of one of its legs.
    pub(crate) fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, rules: &Rules) {
        if self.stage == Stage::Holding && self.legs.iter().any(|leg| leg.0 == instrument) {
            self.judge(ctx, rules);
        }
    }

    fn judge(&mut self, ctx: &mut Ctx<'_>, rules: &Rules) {
        if ctx.now() >= self.deadline {
            return self.exit(ctx, ExitReason::Time, rules);
        }
        let costs = (self.cost_to_close(ctx, Source::Natural), self.cost_to_close(ctx, rules.loss_at));
        let (Some(natural), Some(cost)) = costs else { return };
        let share = |ratio: Price| self.credit.scaled(ratio.0, SCALE);
        if natural <= self.credit - share(rules.profit_target) {
            return self.exit(ctx, ExitReason::ProfitTarget, rules);
        }
        if cost < self.credit + share(rules.loss_multiple) {
            self.loss_since = None;
            return;
        }
        match self.loss_since {
            None => {
                self.loss_since = Some(ctx.now());
                ctx.timer(ctx.now().after(LOSS_PERSISTENCE_NS), self.timer_id + 1);
            }
            Some(since) if ctx.now() >= since.after(LOSS_PERSISTENCE_NS) => {
                self.exit(ctx, ExitReason::Loss, rules);
            }
            Some(_) => {}
        }
    }

    /// Closes the position: a target is worked from the midpoint, everything else at the natural price.
    pub(crate) fn exit(&mut self, ctx: &mut Ctx<'_>, reason: ExitReason, rules: &Rules) {
        match self.stage {
            Stage::Holding => {}
            Stage::Entering => {
                if let Some(walk) = &mut self.walk {
                    walk.stop(ctx);
                }
                return self.settle(ctx, rules);
            }
            Stage::Idle | Stage::Exiting(_) | Stage::Closed(_) => return,
        }
        let legs: Vec<(InstrumentIx, Qty)> =
            self.legs.iter().map(|&(instrument, quantity)| (instrument, quantity.neg())).collect();
        let first_step = if reason == ExitReason::ProfitTarget { 1 } else { rules.steps };
        self.walk = Some(Walk::start(ctx, &legs, self.group + 1, first_step, rules.steps));
        self.stage = Stage::Exiting(reason);
        self.next_step(ctx, rules);
    }

    /// A timer rang.
    pub(crate) fn on_timer(&mut self, ctx: &mut Ctx<'_>, id: u64, rules: &Rules) {
        if id == self.timer_id {
            self.step(ctx, rules);
        } else if id == self.timer_id + 1 {
            match self.stage {
                Stage::Holding => self.judge(ctx, rules),
                Stage::Entering if ctx.now() >= self.deadline => self.exit(ctx, ExitReason::Time, rules),
                Stage::Closed(_) if ctx.now() >= self.deadline => self.salvage(ctx, rules),
                _ => {}
            }
        }
    }

    /// Offers leftovers that are bid for.
    fn salvage(&mut self, ctx: &mut Ctx<'_>, rules: &Rules) {
        let now = ctx.now();
        let has_bid =
            |leg: &(InstrumentIx, Qty)| ctx.top(leg.0).is_some_and(|top| top.live_bid(now).is_some());
        let wanted: Vec<(InstrumentIx, Qty)> =
            std::mem::take(&mut self.leftover).into_iter().filter(has_bid).collect();
        if !wanted.is_empty() && self.walk.is_none() {
            self.walk = Some(Walk::start(ctx, &wanted, self.group + 1, rules.steps, rules.steps));
            self.next_step(ctx, rules);
        }
    }

    fn step(&mut self, ctx: &mut Ctx<'_>, rules: &Rules) {
        if let Some(walk) = &mut self.walk {
            walk.advance(ctx);
            if self.stage == Stage::Entering && walk.waited() > PATIENCE {
                walk.stop(ctx);
            }
            if self.stage != Stage::Entering && walk.waited() > 0 {
                walk.give_up_sales(ctx, walk.waited() > PATIENCE);
            }
        }
        self.settle(ctx, rules);
        if self.walk.is_some() {
            self.next_step(ctx, rules);
        }
    }

    /// Forwards news of an order.
    pub(crate) fn on_order(&mut self, ctx: &mut Ctx<'_>, update: &OrderUpdate, rules: &Rules) {
        if self.walk.as_mut().is_some_and(|walk| walk.on_order(ctx, update)) {
            self.settle(ctx, rules);
        }
    }

    /// Forwards a fill.
    pub(crate) fn on_fill(&mut self, ctx: &mut Ctx<'_>, fill: &FillReport, rules: &Rules) {
        if self.walk.as_mut().is_some_and(|walk| walk.on_fill(ctx, fill)) {
            self.settle(ctx, rules);
        }
    }

    /// Goes to the next stage when the walk is over.
    fn settle(&mut self, ctx: &mut Ctx<'_>, rules: &Rules) {
        let Some(walk) = self.walk.take_if(|walk| walk.is_over()) else { return };
        self.fees += walk.fees;
        self.is_refused |= walk.is_refused;
        match self.stage {
            Stage::Entering => {
                self.credit = walk.cash();
                self.legs = walk
                    .legs
                    .iter()
                    .map(|leg| (leg.instrument, leg.filled))
                    .filter(|leg| leg.1.0 != 0)
                    .collect();
                self.stage = Stage::Holding;
                if self.legs.is_empty() {
                    self.stage = Stage::Closed(ExitReason::Incomplete);
                } else if !walk.is_filled() {
                    self.exit(ctx, ExitReason::Incomplete, rules);
                }
            }
            Stage::Exiting(reason) => {
                self.exit_cash += walk.cash();
                self.leftover = walk.left().filter(|leg| leg.1.0 < 0).collect();
                self.stage = Stage::Closed(reason);
            }
            Stage::Closed(_) if walk.cash() != Money::ZERO => {
                self.exit_cash += walk.cash();
                self.salvaged = Some(walk.cash());
            }
            Stage::Idle | Stage::Holding | Stage::Closed(_) => {}
        }
    }
}
