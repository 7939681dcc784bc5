//! The loop's state, and the one way to append a derived event.

use crate::account::Account;
use crate::book::Top;
use crate::chain::Chains;
use crate::config::{FillProfile, RunConfig};
use crate::depth::Depths;
use crate::event::{Derived, Event, StopReason};
use crate::exposure::Exposure;
use crate::fees::FilledSoFar;
use crate::fixed_map::FixedMap;
use crate::ids::{InstrumentIx, OrderIx, Seq, StrategyIx};
use crate::instrument::{InstrumentDef, InstrumentKind};
use crate::lifecycle::Settled;
use crate::num::{Money, Nanos, Price};
use crate::order::{Order, OrderState};
use crate::record::SessionPhase;
use crate::schedule::Schedule;
use crate::venue::Venue;
use crate::view::Watching;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What waits to be told to strategies, first in first out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Notice {
    Order(StrategyIx, OrderIx, OrderState, Seq),
    Fill(StrategyIx, crate::strategy::FillReport, Seq),
    Expiry(InstrumentIx, Seq),
}

/// Everything but the strategies. What a snapshot skips is empty between blocks, or rebuilt.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Core {
    #[serde(skip)]
    pub(crate) config: RunConfig,
    pub(crate) now: Nanos,
    pub(crate) seq: Seq,
    /// Inputs of the block under construction.
    #[serde(skip)]
    pub(crate) block_inputs: u32,
    /// Derived lane of the block under construction.
    #[serde(skip)]
    pub(crate) derived: Vec<Derived>,
    pub(crate) instruments: Vec<InstrumentDef>,
    #[serde(skip)]
    pub(crate) symbols: FixedMap<String, InstrumentIx>,
    pub(crate) tops: Vec<Top>,
    pub(crate) depths: Depths,
    #[serde(skip)]
    pub(crate) chains: Chains,
    pub(crate) session: Option<SessionPhase>,
    /// `None` until a session phase arrives: tapes without phases trade around the clock.
    pub(crate) is_open: Option<bool>,
    pub(crate) orders: Vec<Order>,
    /// Orders that are not final.
    pub(crate) open_orders: BTreeSet<OrderIx>,
    pub(crate) filled_so_far: BTreeMap<(OrderIx, u8), (FilledSoFar, Money)>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) venue: Venue,
    pub(crate) schedule: Schedule,
    #[serde(skip)]
    pub(crate) notices: VecDeque<Notice>,
    pub(crate) mark_is_scheduled: bool,
    /// Series whose life cycle is on the schedule.
    pub(crate) tracked_series: BTreeSet<InstrumentIx>,
    /// Advice by (account, series): contracts to exercise.
    pub(crate) advice: BTreeMap<(u16, InstrumentIx), crate::num::Qty>,
    /// Published exercise settlement values and official closing prices, with their receipt times.
    pub(crate) settlement_values: BTreeMap<InstrumentIx, (Price, Nanos)>,
    pub(crate) closing_prices: BTreeMap<InstrumentIx, (Price, Nanos)>,
    /// Settlement of tracked series whose expiry passed.
    pub(crate) settlements: BTreeMap<InstrumentIx, Settled>,
    /// Submissions of the last second by strategy; kept only while an order rate is limited.
    pub(crate) submissions: BTreeMap<StrategyIx, VecDeque<(Nanos, OrderIx)>>,
    pub(crate) exposure: Exposure,
    /// Why strategies were stopped.
    pub(crate) stop_reasons: BTreeMap<StrategyIx, StopReason>,
    /// Nothing is accepted after the tape's end.
    pub(crate) is_tape_ended: bool,
    /// Blocks the journal was last said to be behind.
    pub(crate) journal_lag: u32,
    /// Derived events of the block before the present input began to lead to any.
    #[serde(skip)]
    pub(crate) input_floor: usize,
    /// No report is due before this: the receipt time of the input that reveals an arrival.
    pub(crate) schedule_floor: Nanos,
    /// The fill profile is not the one the run began with.
    pub(crate) is_profile_switched: bool,
    /// An auditor's watch; never part of what is derived.
    #[serde(skip)]
    pub(crate) watching: Option<Box<Watching>>,
}

impl Core {
    pub(crate) fn new(config: RunConfig) -> Core {
        let accounts =
            config.accounts.iter().map(|account| Account::new(&account.name, account.cash)).collect();
        Core {
            config,
            now: Nanos(0),
            seq: 0,
            block_inputs: 0,
            derived: Vec::new(),
            instruments: Vec::new(),
            symbols: FixedMap::default(),
            tops: Vec::new(),
            depths: Depths::default(),
            chains: Chains::default(),
            session: None,
            is_open: None,
            orders: Vec::new(),
            open_orders: BTreeSet::new(),
            filled_so_far: BTreeMap::new(),
            accounts,
            venue: Venue::default(),
            schedule: Schedule::default(),
            notices: VecDeque::new(),
            mark_is_scheduled: false,
            tracked_series: BTreeSet::new(),
            advice: BTreeMap::new(),
            settlement_values: BTreeMap::new(),
            closing_prices: BTreeMap::new(),
            settlements: BTreeMap::new(),
            submissions: BTreeMap::new(),
            exposure: Exposure::default(),
            stop_reasons: BTreeMap::new(),
            is_tape_ended: false,
            journal_lag: 0,
            input_floor: 0,
            schedule_floor: Nanos(0),
            is_profile_switched: false,
            watching: None,
        }
    }

    /// Appends a derived event at the present event time and returns its seq.
    pub(crate) fn emit(&mut self, cause: Seq, event: Event) -> Seq {
        if self.watching.is_some() {
            self.observe();
        }
        let seq = self.seq;
        self.seq += 1;
        self.derived.push(Derived { after: self.block_inputs, ts: self.now, cause, event });
        seq
    }

    /// A command switches how the venue fills.
    pub(crate) fn switch_profile(&mut self, profile: FillProfile) {
        self.config.profile = profile;
        self.is_profile_switched = true;
    }

    pub(crate) fn state_last(&mut self, ix: InstrumentIx, price: Price, seq: Seq) {
        let top = &mut self.tops[ix.index()];
        (top.last, top.last_ts, top.last_seq) = (price, self.now, seq);
    }

    /// Derived events of the present input so far.
    #[inline]
    pub(crate) fn spent(&self) -> usize {
        self.derived.len() - self.input_floor
    }

    pub(crate) fn define(&mut self, def: InstrumentDef) {
        let ix = InstrumentIx::from(self.instruments.len());
        self.symbols.insert(def.symbol.clone(), ix);
        self.tops.push(Top { hold_ns: def.quote_hold_ns.unwrap_or(0), ..Top::default() });
        self.venue.add_instrument();
        self.chains.add(ix, &def);
        self.instruments.push(def);
    }

    /// Rebuilds what a snapshot leaves out.
    pub(crate) fn rebuild(&mut self) {
        for (n, def) in self.instruments.iter().enumerate() {
            let ix = InstrumentIx::from(n);
            self.symbols.insert(def.symbol.clone(), ix);
            self.chains.add(ix, def);
        }
        self.venue.rebuild();
        self.depths.rebuild();
    }

    pub(crate) fn def(&self, ix: InstrumentIx) -> &InstrumentDef {
        &self.instruments[ix.index()]
    }

    /// Price used for intrinsic values, margin and selection: mid or last; zero when nothing is known.
    pub(crate) fn reference_price(&self, ix: InstrumentIx) -> Price {
        let top = &self.tops[ix.index()];
        let price = if self.def(ix).kind == InstrumentKind::Index && top.last.0 > 0 {
            Some(top.last)
        } else {
            top.mid_or_last(self.now)
        };
        price.unwrap_or(Price::ZERO)
    }
}
