//! A tape builder, a scripted strategy and a printer of derived events.

#![allow(dead_code, missing_docs, unreachable_pub)]

use onetape_engine::block::{Block, Entry};
use onetape_engine::config::{FeeSchedule, RunConfig};
use onetape_engine::event::{Derived, Event};
use onetape_engine::ids::{InstrumentIx, OrderIx, StrategyIx, VenueIx};
use onetape_engine::input::{Cold, Command, Input};
use onetape_engine::instrument::{
    ExerciseStyle, InstrumentDef, InstrumentKind, OptionTerms, Right, Settlement, SettlementTime, TickRule,
    osi_symbol,
};
use onetape_engine::order::{Order, Package};
use onetape_engine::record::{
    Bar, Body, Head, Phase, Quote, Record, SessionPhase, Statistic, StatisticKind, Status, Trade, TradeClass,
    flags,
};
use onetape_engine::strategy::{Ctx, FillReport, Flow, OrderUpdate, Param, ParamError, StateError, Strategy};
use onetape_engine::{Kernel, KernelError, Nanos, Price, Qty};

/// 2026-01-05 14:30 UTC, a Monday's open in New York.
pub const T0: u64 = 1_767_623_400_000_000_000;
pub const MS: u64 = 1_000_000;
pub const HOUR: u64 = 3_600_000;
/// Milliseconds from [`T0`] to that day's close.
pub const CLOSE_MS: u64 = 6 * HOUR + HOUR / 2;
pub const DAY_MS: u64 = 24 * HOUR;

/// The stock every tape defines first, and the two series that may follow.
pub const STOCK: InstrumentIx = InstrumentIx(0);
pub const CALL: InstrumentIx = InstrumentIx(1);
pub const PUT: InstrumentIx = InstrumentIx(2);

pub fn price(text: &str) -> Price {
    text.parse().expect("a test's price is a decimal")
}

pub fn qty(whole: i64) -> Qty {
    Qty::from_whole(whole).expect("a test's quantity fits")
}

pub fn at_ms(ms: u64) -> Nanos {
    Nanos(T0 + ms * MS)
}

/// No fees, no marks, no buying power: each test switches on what it is about.
pub fn bare() -> RunConfig {
    let mut config = RunConfig { fees: FeeSchedule::Free, mark_interval_ns: 0, ..RunConfig::default() };
    config.risk.buying_power = onetape_engine::config::BuyingPower::Off;
    config
}

/// An option on [`STOCK`] expiring at the first day's close; strikes in whole dollars.
pub fn series(right: Right, strike: i64) -> InstrumentDef {
    let strike = Price(strike * 1_000_000_000);
    InstrumentDef {
        symbol: osi_symbol("STK", 20260105, right, strike),
        kind: InstrumentKind::Option,
        multiplier: 100,
        tick: TickRule::Penny,
        option: Some(OptionTerms {
            underlying: STOCK,
            root: "STK".to_string(),
            expiry_date: 20260105,
            strike,
            right,
            style: ExerciseStyle::American,
            settlement: Settlement::Physical,
            settlement_time: SettlementTime::Pm,
            last_trade: at_ms(CLOSE_MS),
            expiry: at_ms(CLOSE_MS),
            exercise_cutoff: at_ms(CLOSE_MS + HOUR + HOUR / 2),
            notice: at_ms(CLOSE_MS + 14 * HOUR),
        }),
        ..InstrumentDef::equity("")
    }
}

/// Inputs under construction, in milliseconds from [`T0`].
#[derive(Debug, Clone, Default)]
pub struct Tape {
    pub inputs: Vec<Input>,
    pub ms: u64,
    /// How much later than the exchange's time records are received.
    pub delay_ms: u64,
}

impl Tape {
    /// Start, the stock, an open session.
    pub fn new(config: &RunConfig) -> Tape {
        Tape::with(config, vec![InstrumentDef::equity("STK")])
    }

    /// The same with the call and the put at 100.
    pub fn with_options(config: &RunConfig) -> Tape {
        let options = [series(Right::Call, 100), series(Right::Put, 100)];
        Tape::with(config, [vec![InstrumentDef::equity("STK")], options.to_vec()].concat())
    }

    pub fn with(config: &RunConfig, defs: Vec<InstrumentDef>) -> Tape {
        let mut tape = Tape::default();
        tape.cold(Cold::Start(Box::new(config.clone())));
        for def in defs {
            tape.cold(Cold::Definition(Box::new(def)));
        }
        tape.phase(Phase::Open);
        tape
    }

    fn head(&self, instrument: InstrumentIx) -> Head {
        Head {
            ts: at_ms(self.ms),
            ts_src: at_ms(self.ms - self.delay_ms.min(self.ms)),
            instrument,
            venue: VenueIx(0),
            flags: flags::LAST,
        }
    }

    pub fn push(&mut self, head: Head, body: Body) -> &mut Tape {
        self.inputs.push(Input { record: Record::new(head, body), cold: None });
        self
    }

    pub fn cold(&mut self, cold: Cold) -> &mut Tape {
        let record = Record::new(self.head(InstrumentIx::NONE), Body::Cold(0));
        self.inputs.push(Input { record, cold: Some(cold) });
        self
    }

    pub fn command(&mut self, command: Command) -> &mut Tape {
        self.cold(Cold::Command(command))
    }

    /// Moves the tape's clock to `ms` after [`T0`].
    pub fn at(&mut self, ms: u64) -> &mut Tape {
        self.ms = ms;
        self
    }

    pub fn phase(&mut self, phase: Phase) -> &mut Tape {
        let day = self.ms / DAY_MS;
        let body = SessionPhase {
            open: at_ms(day * DAY_MS).0,
            close: at_ms(day * DAY_MS + CLOSE_MS).0,
            trade_date: 20260105 + day as u32,
            utc_offset_s: -5 * 3600,
            phase: phase as u8,
            ..SessionPhase::default()
        };
        self.push(self.head(InstrumentIx::NONE), Body::SessionPhase(body))
    }

    /// `bid × size, ask × size`; an empty text leaves the side unstated.
    pub fn quote(&mut self, ix: InstrumentIx, bid: (&str, i64), ask: (&str, i64)) -> &mut Tape {
        self.quote_flagged(ix, bid, ask, 0)
    }

    pub fn quote_flagged(
        &mut self,
        ix: InstrumentIx,
        bid: (&str, i64),
        ask: (&str, i64),
        more: u8,
    ) -> &mut Tape {
        let mut head = self.head(ix);
        head.flags |= more;
        let mut quote = Quote::default();
        if !bid.0.is_empty() {
            head.flags |= flags::BID;
            (quote.bid, quote.bid_size) = (price(bid.0).0, qty(bid.1).0);
        }
        if !ask.0.is_empty() {
            head.flags |= flags::ASK;
            (quote.ask, quote.ask_size) = (price(ask.0).0, qty(ask.1).0);
        }
        self.push(head, Body::Quote(quote))
    }

    pub fn trade(&mut self, ix: InstrumentIx, at: &str, size: i64, class: TradeClass) -> &mut Tape {
        let trade = Trade { price: price(at).0, size: qty(size).0, class: class as u8, ..Trade::default() };
        self.push(self.head(ix), Body::Trade(trade))
    }

    pub fn bar(&mut self, ix: InstrumentIx, close: &str) -> &mut Tape {
        let p = price(close).0;
        self.push(self.head(ix), Body::TradeBar(Bar { open: p, high: p, low: p, close: p, volume: 1 }))
    }

    pub fn statistic(&mut self, ix: InstrumentIx, kind: StatisticKind, value: &str) -> &mut Tape {
        let body = Statistic { value: price(value).0, stat: kind as u16, ..Statistic::default() };
        self.push(self.head(ix), Body::Statistic(body))
    }

    pub fn status(&mut self, ix: InstrumentIx, state: u16) -> &mut Tape {
        self.push(self.head(ix), Body::Status(Status { state, ..Status::default() }))
    }

    pub fn tick(&mut self) -> &mut Tape {
        self.push(self.head(InstrumentIx::NONE), Body::Tick)
    }

    pub fn end(&mut self) -> &mut Tape {
        let mut head = self.head(InstrumentIx::NONE);
        head.flags = flags::END;
        self.push(head, Body::Seal)
    }
}

/// When a scripted step happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// A timer at so many milliseconds from [`T0`].
    Ms(u64),
    /// In the n-th quote callback, counted from 1.
    Quote(u32),
    /// In the n-th fill callback.
    Fill(u32),
    /// In every quote callback.
    EachQuote,
}

/// What a scripted step asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    Submit(Package),
    Cancel(u32),
    Timer(u64),
    Note(&'static str),
    Exercise(InstrumentIx, Qty),
    Panic,
    Stop,
    Flood(u32),
}

/// A table of (when, what) that also remembers what it was told.
#[derive(Debug, Clone, Default)]
pub struct Script {
    pub steps: Vec<(When, Ask)>,
    pub quotes: u32,
    pub fills: u32,
    pub seen: Vec<String>,
    pub knob: u32,
}

impl Script {
    pub fn new(steps: Vec<(When, Ask)>) -> Script {
        Script { steps, ..Script::default() }
    }

    fn act(&mut self, ctx: &mut Ctx<'_>, when: &[When]) -> Flow {
        let mut flow = Flow::Continue;
        for (_, ask) in self.steps.iter().filter(|(at, _)| when.contains(at)) {
            match ask {
                Ask::Submit(package) => drop(ctx.submit(package.clone())),
                Ask::Cancel(order) => ctx.cancel(OrderIx(*order)),
                Ask::Timer(ms) => ctx.timer(at_ms(*ms), *ms),
                Ask::Note(text) => ctx.note(*text),
                Ask::Exercise(ix, contracts) => ctx.exercise(*ix, *contracts),
                Ask::Panic => panic!("scripted"),
                Ask::Stop => flow = Flow::Stop,
                Ask::Flood(orders) => {
                    for _ in 0..*orders {
                        ctx.submit(Package::limit(STOCK, qty(1), price("1.00")));
                    }
                }
            }
        }
        flow
    }

    fn saw(&mut self, ctx: &Ctx<'_>, what: &str) {
        self.seen.push(format!("{} {what}", clock(ctx.now())));
    }
}

impl Strategy for Script {
    fn name(&self) -> &'static str {
        "script"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn params(&self) -> Vec<Param> {
        vec![Param { key: "knob", value: self.knob.to_string(), doc: "a number" }]
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        if key == "burn" {
            panic!("scripted");
        }
        if key != "knob" {
            return Err(ParamError::Unknown { key: key.to_string(), known: "knob".to_string() });
        }
        self.knob = onetape_engine::strategy::parse_param(key, value, "a number")?;
        Ok(())
    }
    fn save(&self, out: &mut Vec<u8>) {
        for word in [self.quotes, self.fills, self.knob] {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }
    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let words: Vec<u32> =
            bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let [quotes, fills, knob] = words[..] else {
            return Err(StateError { strategy: "script".to_string(), version: "1".to_string() });
        };
        (self.quotes, self.fills, self.knob) = (quotes, fills, knob);
        Ok(())
    }
    fn on_start(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        for (when, _) in &self.steps {
            if let When::Ms(ms) = when {
                ctx.timer(at_ms(*ms), *ms);
            }
        }
        Flow::Continue
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, _: InstrumentIx) -> Flow {
        self.quotes += 1;
        self.act(ctx, &[When::Quote(self.quotes), When::EachQuote])
    }
    fn on_timer(&mut self, ctx: &mut Ctx<'_>, id: u64) -> Flow {
        self.saw(ctx, &format!("timer {id}"));
        self.act(ctx, &[When::Ms(id)])
    }
    fn on_order(&mut self, ctx: &mut Ctx<'_>, update: &OrderUpdate) -> Flow {
        self.saw(ctx, &format!("order {} {:?}", update.order.0, update.state));
        Flow::Continue
    }
    fn on_fill(&mut self, ctx: &mut Ctx<'_>, fill: &FillReport) -> Flow {
        self.fills += 1;
        let execution = &fill.execution;
        self.saw(ctx, &format!("fill {} {}@{}", execution.order.0, execution.quantity, execution.price));
        self.act(ctx, &[When::Fill(self.fills)])
    }
    fn on_expiry(&mut self, ctx: &mut Ctx<'_>, ix: InstrumentIx) -> Flow {
        self.saw(ctx, &format!("expiry {}", ix.0));
        Flow::Continue
    }
}

/// A run's log and the kernel after it.
pub struct Run {
    pub kernel: Kernel<Script>,
    pub blocks: Vec<Block>,
}

impl Run {
    pub fn derived(&self) -> Vec<&Derived> {
        self.blocks.iter().flat_map(|block| &block.derived).collect()
    }

    pub fn events(&self) -> Vec<&Event> {
        self.blocks.iter().flat_map(|block| block.derived.iter().map(|derived| &derived.event)).collect()
    }

    /// Derived events as lines, those of an order's way only unless `all`.
    pub fn story(&self) -> String {
        let lines: Vec<String> = self
            .derived()
            .iter()
            .filter_map(|derived| line(derived))
            .map(|line| format!("{line}\n"))
            .collect();
        lines.concat()
    }

    pub fn strategy(&self, n: usize) -> &Script {
        self.kernel.strategies().nth(n).expect("the run has so many strategies")
    }

    pub fn orders(&self) -> &[Order] {
        self.kernel.orders()
    }

    /// Sum of executed quantity per order.
    pub fn executed(&self, order: u32) -> Qty {
        self.events().iter().fold(Qty::ZERO, |sum, event| match event {
            Event::Executed(execution) if execution.order.0 == order => sum + execution.quantity,
            _ => sum,
        })
    }
}

/// Applies inputs as a runner does, checking the laws that hold after every input.
pub fn try_run(config: RunConfig, scripts: Vec<Script>, inputs: &[Input]) -> Result<Run, KernelError> {
    let mut kernel = Kernel::new(config, scripts);
    let mut blocks = Vec::new();
    let mut block = Block::default();
    for input in inputs {
        kernel.apply(&input.record, input.cold.as_ref())?;
        block.inputs.push(input.record);
        block.cold.extend(input.cold.clone());
        assert!(kernel.accounts().iter().all(|account| account.is_conserved()), "conservation");
        if kernel.must_seal(&input.record) {
            block.derived = kernel.take_derived(Vec::new());
            let next = Block { first_seq: kernel.seq(), ..Block::default() };
            blocks.push(std::mem::replace(&mut block, next));
        }
    }
    block.derived = kernel.take_derived(Vec::new());
    blocks.push(block);
    check_log(&blocks, kernel.seq());
    Ok(Run { kernel, blocks })
}

pub fn run(config: RunConfig, scripts: Vec<Script>, tape: &Tape) -> Run {
    try_run(config, scripts, &tape.inputs).expect("the tape is sound")
}

/// One script over one tape with the bare configuration.
pub fn play(tape: impl FnOnce(&mut Tape), steps: Vec<(When, Ask)>) -> Run {
    play_with(bare(), tape, steps)
}

pub fn play_with(config: RunConfig, tape: impl FnOnce(&mut Tape), steps: Vec<(When, Ask)>) -> Run {
    let mut inputs = Tape::with_options(&config);
    tape(&mut inputs);
    run(config, vec![Script::new(steps)], &inputs)
}

/// Laws of every log: seqs are consecutive, causes precede effects, event time never decreases.
fn check_log(blocks: &[Block], end: u64) {
    let (mut expected, mut time) = (0, Nanos(0));
    for (seq, entry) in blocks.iter().flat_map(Block::entries) {
        assert_eq!(seq, expected, "seqs are consecutive");
        expected += 1;
        let ts = match entry {
            Entry::Input(record, _) => record.ts(),
            Entry::Derived(derived) => {
                assert!(derived.cause < seq, "{derived:?} at {seq} precedes its cause");
                derived.ts
            }
        };
        assert!(ts >= time, "event time went back at seq {seq}: {entry:?}");
        time = ts;
    }
    assert_eq!(expected, end, "the kernel counts what the log holds");
}

pub fn clock(ts: Nanos) -> String {
    let micros = (ts.0 - T0) / 1_000;
    format!("{}.{:03}", micros / 1_000, micros % 1_000)
}

/// One derived event as a line; `None` for the state hash.
pub fn line(derived: &Derived) -> Option<String> {
    let text = match &derived.event {
        Event::Submitted { order, strategy: StrategyIx(strategy), package } => {
            format!("submitted {} by {strategy} qty {}", order.0, package.legs[0].quantity)
        }
        Event::CancelRequested { order } => format!("cancel {}", order.0),
        Event::Risk { order, refused: None, .. } => format!("risk {} approves", order.0),
        Event::Risk { order, refused: Some(reason), .. } => format!("risk {} refuses: {reason:?}", order.0),
        Event::State { order, from, to, reason } => format!("state {} {from:?}->{to:?} {reason:?}", order.0),
        Event::Arrived { order, at, bid, ask } => {
            format!("arrived {} at {} {bid}/{ask}", order.0, clock(*at))
        }
        Event::Executed(e) => {
            format!("executed {} {}@{} at {} {:?}", e.order.0, e.quantity, e.price, clock(e.at), e.reason)
        }
        Event::Fill { execution: e, fee, .. } => {
            format!("fill {} {}@{} fee {fee}", e.order.0, e.quantity, e.price)
        }
        Event::Cash { amount, reason, balance, .. } => format!("cash {amount} {reason:?} = {balance}"),
        Event::Position { instrument, quantity, cost, realized, .. } => {
            format!("position {} {quantity} cost {cost} realized {realized}", instrument.0)
        }
        Event::Mark { equity, liquidation, requirement, .. } => {
            format!("mark equity {equity} liquidation {liquidation} requirement {requirement}")
        }
        Event::Expired { instrument, quantity, outcome, underlying, estimated, .. } => {
            let how = if *estimated { " estimated" } else { "" };
            format!("expired {} {quantity} {outcome:?} at {underlying}{how}", instrument.0)
        }
        Event::StateHash { .. } => return None,
        Event::Triggered { order, price, .. } => format!("triggered {} at {price}", order.0),
        Event::Timer { id, .. } => format!("timer {id}"),
        Event::Note { text, .. } => format!("note {text}"),
        Event::StrategyStopped { strategy, reason } => format!("stopped {} {reason:?}", strategy.0),
        Event::CommandApplied { refused } => format!("command {refused:?}"),
        Event::ExerciseAdvised { quantity, .. } => format!("advised {quantity}"),
        Event::IllegalTransition { order, from, to } => format!("illegal {} {from:?}->{to:?}", order.0),
    };
    Some(format!("{} {text}", clock(derived.ts)))
}

/// Compares a story with its expectation, whose indentation is ignored.
#[track_caller]
pub fn expect(story: &str, expected: &str) {
    let tidy =
        |text: &str| text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n");
    assert_eq!(tidy(story), tidy(expected));
}
