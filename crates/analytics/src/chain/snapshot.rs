//! Every book of a recorded session at an instant, by running the session through the loop.

use onetape_engine::block::Block;
use onetape_engine::book::Top;
use onetape_engine::config::{RunConfig, StrategyConfig};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::Cold;
use onetape_engine::instrument::{InstrumentDef, InstrumentKind, OptionTerms};
use onetape_engine::num::{Nanos, Price};
use onetape_engine::record::{
    Bar, Body, Head, Kind, Record, SessionPhase, Statistic, StatisticKind, Trade, TradeClass,
};
use onetape_engine::strategy::{Ctx, Flow, StateError, Strategy};
use onetape_engine::{Kernel, KernelError};
use onetape_tape::session::{SessionError, SessionReader};
use std::collections::BTreeMap;

/// An expiry of a class: (yyyymmdd, root).
pub type ExpiryKey = (u32, String);

/// Why a session has no state at an instant.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The session cannot be read.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A source of blocks other than a session cannot be read.
    #[error("{0}")]
    Read(String),
    /// The loop refused an input of it.
    #[error("{session}: {source}")]
    Input {
        /// The session.
        session: String,
        /// What was wrong.
        source: KernelError,
    },
    /// The instant lies before the session begins.
    #[error("the session begins at {first} ns, after the instant asked for ({asked} ns)")]
    TooEarly {
        /// First receipt time, UTC nanoseconds.
        first: u64,
        /// The instant, UTC nanoseconds.
        asked: u64,
    },
}

/// What a session has told about an instrument so far.
#[derive(Debug, Clone, Default)]
pub struct Market {
    /// Top of book and last trade.
    pub top: Top,
    /// Contracts open at the previous close.
    pub open_interest: Option<f64>,
    /// Quantity traded on the present trade date.
    pub volume: f64,
}

/// Runs the inputs received up to `at` through a loop of its own with one strategy, then the clock to `at`.
/// What a journal adds to its session's inputs (its configuration, seals, commands) is left out.
pub(super) fn run_to<S: Strategy>(
    name: &str,
    first: u64,
    at: Nanos,
    config: RunConfig,
    strategy: S,
    mut next_block: impl FnMut(&mut Block) -> Result<bool, SnapshotError>,
) -> Result<Kernel<S>, SnapshotError> {
    if at.0 < first {
        return Err(SnapshotError::TooEarly { first, asked: at.0 });
    }
    let refused = |source| SnapshotError::Input { session: name.to_string(), source };
    let mut kernel = Kernel::new(config.clone(), vec![strategy]);
    let start = Record::new(Head::at(Nanos(first), InstrumentIx::NONE), Body::Cold(0));
    kernel.apply(&start, Some(&Cold::Start(Box::new(config)))).map_err(refused)?;
    let mut block = Block::default();
    let mut spare = Vec::new();
    'tape: while next_block(&mut block)? {
        let mut cold = block.cold.iter();
        for record in &block.inputs {
            if record.ts > at.0 {
                break 'tape;
            }
            let payload = if record.kind == Kind::Cold as u8 { cold.next() } else { None };
            if matches!(payload, Some(Cold::Start(_) | Cold::Command(_) | Cold::JournalLag { .. }))
                || record.kind == Kind::Seal as u8
            {
                continue;
            }
            kernel.apply(record, payload).map_err(refused)?;
            if kernel.must_seal(record) {
                spare = kernel.take_derived(spare);
                spare.clear();
            }
        }
    }
    let tick = Record::new(Head::at(at, InstrumentIx::NONE), Body::Tick);
    kernel.apply(&tick, None).map_err(refused)?;
    Ok(kernel)
}

/// All instruments of a session at an instant.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The instant.
    pub at: Nanos,
    /// Definitions by index.
    pub instruments: Vec<InstrumentDef>,
    /// Markets by index.
    pub markets: Vec<Market>,
    /// The session phase in force.
    pub phase: Option<SessionPhase>,
}

impl Snapshot {
    /// The state after every input received up to `at`.
    ///
    /// # Errors
    /// [`SnapshotError`] when the session cannot be read or does not reach back to the instant.
    pub fn take(reader: &mut SessionReader, at: Nanos) -> Result<Snapshot, SnapshotError> {
        let manifest = reader.manifest();
        let (name, first) = (manifest.name.clone(), manifest.first_ts);
        Snapshot::of_blocks(&name, first, at, |block| reader.next_block(block).map_err(SnapshotError::from))
    }

    /// The same from any source of blocks, such as a journal, whose first input is received at `first`.
    ///
    /// # Errors
    /// As [`Snapshot::take`], and whatever `next_block` says.
    pub fn of_blocks(
        name: &str,
        first: u64,
        at: Nanos,
        next_block: impl FnMut(&mut Block) -> Result<bool, SnapshotError>,
    ) -> Result<Snapshot, SnapshotError> {
        let observer = Observer { at, markets: Vec::new(), phase: None };
        let strategy = StrategyConfig { name: "observer".into(), version: "1".into(), params: Vec::new() };
        let config = RunConfig { strategies: vec![strategy], mark_interval_ns: 0, ..RunConfig::default() };
        let kernel: Kernel<Observer> = run_to(name, first, at, config, observer, next_block)?;
        let instruments = kernel.instruments().to_vec();
        let observer = kernel.strategies().next();
        let (markets, phase) = observer.map(|o| (o.markets.clone(), o.phase)).unwrap_or_default();
        Ok(Snapshot { at, instruments, markets, phase })
    }

    /// The live price of an instrument: an index's last value, else midpoint, else last trade.
    #[must_use]
    pub fn price(&self, ix: InstrumentIx) -> Option<f64> {
        let (def, market) = (self.instruments.get(ix.index())?, self.markets.get(ix.index())?);
        let last = (market.top.last.0 > 0).then_some(market.top.last);
        let price = match def.kind {
            InstrumentKind::Index => last.or(market.top.mid(self.at)),
            _ => market.top.mid(self.at).or(last),
        };
        price.map(Price::to_f64)
    }

    /// The options with their indices.
    pub fn options(&self) -> impl Iterator<Item = (InstrumentIx, &OptionTerms)> {
        let all = self.instruments.iter().enumerate();
        all.filter_map(|(n, def)| def.option.as_ref().map(|terms| (InstrumentIx::from(n), terms)))
    }

    /// Symbols that have options, with the expiries that have not settled, in order.
    #[must_use]
    pub fn underlyings(&self) -> BTreeMap<String, Vec<ExpiryKey>> {
        let mut found: BTreeMap<String, Vec<ExpiryKey>> = BTreeMap::new();
        for (_, terms) in self.options().filter(|(_, terms)| terms.expiry > self.at) {
            let symbol = &self.instruments[terms.underlying.index()].symbol;
            let keys = found.entry(symbol.clone()).or_default();
            let key = (terms.expiry_date, terms.root.clone());
            if let Err(place) = keys.binary_search(&key) {
                keys.insert(place, key);
            }
        }
        found
    }
}

/// A strategy that only watches.
#[derive(Debug)]
struct Observer {
    at: Nanos,
    markets: Vec<Market>,
    phase: Option<SessionPhase>,
}

impl Observer {
    fn market(&mut self, ix: InstrumentIx) -> &mut Market {
        if self.markets.len() <= ix.index() {
            self.markets.resize_with(ix.index() + 1, Market::default);
        }
        &mut self.markets[ix.index()]
    }
}

impl Strategy for Observer {
    fn name(&self) -> &'static str {
        "observer"
    }

    fn version(&self) -> &'static str {
        "1"
    }

    fn save(&self, _: &mut Vec<u8>) {}

    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }

    fn on_start(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        ctx.timer(self.at, 0);
        Flow::Continue
    }

    fn on_session(&mut self, _: &mut Ctx<'_>, phase: &SessionPhase) -> Flow {
        // Volume is of one trade date.
        if self.phase.is_none_or(|before| before.trade_date != phase.trade_date) {
            self.markets.iter_mut().for_each(|market| market.volume = 0.0);
        }
        self.phase = Some(*phase);
        Flow::Continue
    }

    fn on_trade(&mut self, _: &mut Ctx<'_>, ix: InstrumentIx, trade: &Trade) -> Flow {
        let size = trade.size as f64 / 1e9;
        let is_cancel = TradeClass::from_wire(trade.class) == TradeClass::Cancel;
        let market = self.market(ix);
        market.volume = if is_cancel { (market.volume - size).max(0.0) } else { market.volume + size };
        Flow::Continue
    }

    fn on_bar(&mut self, _: &mut Ctx<'_>, ix: InstrumentIx, bar: &Bar) -> Flow {
        self.market(ix).volume += bar.volume as f64 / 1e9;
        Flow::Continue
    }

    fn on_statistic(&mut self, _: &mut Ctx<'_>, ix: InstrumentIx, statistic: &Statistic) -> Flow {
        if statistic.stat == StatisticKind::OpenInterest as u16 {
            self.market(ix).open_interest = Some(statistic.value as f64 / 1e9);
        }
        Flow::Continue
    }

    fn on_timer(&mut self, ctx: &mut Ctx<'_>, _: u64) -> Flow {
        for n in 0..ctx.instruments().len() {
            let ix = InstrumentIx::from(n);
            let top = ctx.top(ix).copied().unwrap_or_default();
            self.market(ix).top = top;
        }
        Flow::Continue
    }
}
