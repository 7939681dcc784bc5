//! A day of a made-up fund with a chain that expires that day and one that expires in a week.
//!
//! Quotes follow a smooth spot path and Black–Scholes–Merton prices at one volatility, once every 30
//! seconds from 09:30 to 16:00 New York on Friday 2025-05-16, sizes of 50, tick 0.01.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use onetape_engine::config::{RunConfig, StrategyConfig};
use onetape_engine::event::{Derived, Event};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::{Cold, Input};
use onetape_engine::instrument::{
    ExerciseStyle, InstrumentDef, InstrumentKind, OptionTerms, Right, Settlement, SettlementTime, TickRule,
    osi_symbol,
};
use onetape_engine::num::{MINUTE, SCALE, SECOND};
use onetape_engine::record::{Body, Head, Phase, Quote, Record, SessionPhase, flags};
use onetape_engine::{Kernel, Nanos, Price, Qty, Strategy};
use onetape_pricing::bsm::{self, BsmInputs};

pub const DATE: u32 = 20250516;
/// 09:30 New York on [`DATE`].
pub const OPEN: u64 = 1_747_402_200 * SECOND;
/// 16:00 New York on [`DATE`].
pub const CLOSE: u64 = OPEN + 390 * MINUTE;
pub const FUND: InstrumentIx = InstrumentIx(0);
const OFFSET_S: i32 = -4 * 3600;
const VOL: f64 = 0.50;

/// Instant of a local time on [`DATE`].
pub fn at(hour: u64, minute: u64) -> Nanos {
    Nanos(OPEN - 570 * MINUTE + (hour * 60 + minute) * MINUTE)
}

fn option(expiry_date: u32, days: u64, strike: f64, right: Right) -> InstrumentDef {
    let strike = Price::from_f64(strike).unwrap();
    let close = CLOSE + days * 24 * 60 * MINUTE;
    InstrumentDef {
        symbol: osi_symbol("ONE", expiry_date, right, strike),
        kind: InstrumentKind::Option,
        multiplier: 100,
        tick: TickRule::Fixed(SCALE / 100),
        option: Some(OptionTerms {
            underlying: FUND,
            root: "ONE".to_string(),
            expiry_date,
            strike,
            right,
            style: ExerciseStyle::American,
            settlement: Settlement::Physical,
            settlement_time: SettlementTime::Pm,
            last_trade: Nanos(close),
            expiry: Nanos(close),
            exercise_cutoff: Nanos(close + 90 * MINUTE),
            notice: Nanos(close + 62 * 60 * MINUTE),
        }),
        ..InstrumentDef::equity("")
    }
}

fn record(ts: u64, instrument: InstrumentIx, body: Body) -> Input {
    Input { record: Record::new(Head::at(Nanos(ts), instrument), body), cold: None }
}

fn phase(phase: Phase, ts: u64) -> Input {
    let body = SessionPhase {
        open: OPEN,
        close: CLOSE,
        trade_date: DATE,
        utc_offset_s: OFFSET_S,
        phase: phase as u8,
        ..SessionPhase::default()
    };
    record(ts, InstrumentIx::NONE, Body::SessionPhase(body))
}

/// Two-sided quote in dollars; a bid of zero is an explicit empty side.
pub fn quote(ts: u64, instrument: InstrumentIx, bid: f64, ask: f64) -> Input {
    let raw = |price: f64| Price::from_f64(price).unwrap().0;
    let body = Quote {
        bid: raw(bid),
        ask: raw(ask),
        bid_size: if bid > 0.0 { 50 * SCALE } else { 0 },
        ask_size: 50 * SCALE,
        ..Quote::default()
    };
    let mut input = record(ts, instrument, Body::Quote(body));
    input.record.flags |= flags::BID | flags::ASK;
    input
}

/// The day's tape for a path of the spot over the session (0 at the open, 1 at the close).
pub fn day(path: impl Fn(f64) -> f64) -> Vec<Input> {
    let mut tape = Vec::new();
    let mut defs = vec![InstrumentDef::equity("ONE")];
    for (expiry_date, days) in [(DATE, 0), (20250523, 7)] {
        for step in -16..=16 {
            for right in [Right::Call, Right::Put] {
                defs.push(option(expiry_date, days, 100.0 + f64::from(step) * 0.5, right));
            }
        }
    }
    for (n, def) in defs.iter().enumerate() {
        let mut input = record(OPEN - 60 * MINUTE, InstrumentIx::from(n), Body::Cold(0));
        input.cold = Some(Cold::Definition(Box::new(def.clone())));
        tape.push(input);
    }
    tape.push(phase(Phase::Open, OPEN));
    let steps = (CLOSE - OPEN) / (30 * SECOND);
    for step in 1..=steps {
        let ts = OPEN + step * 30 * SECOND;
        let spot = path(step as f64 / steps as f64);
        tape.push(quote(ts, FUND, round(spot) - 0.01, round(spot) + 0.01));
        for (n, def) in defs.iter().enumerate().skip(1) {
            let terms = def.option.as_ref().unwrap();
            let inputs = BsmInputs {
                spot,
                strike: terms.strike.to_f64(),
                years: terms.years_to_expiry(Nanos(ts)).max(1e-7),
                rate: 0.04,
                dividend_yield: 0.0,
                vol: VOL,
            };
            let fair = bsm::price(&inputs, terms.right);
            let half = 0.005 + 0.01 * fair;
            let bid = ((fair - half) * 100.0).floor().max(0.0) / 100.0;
            let ask = ((fair + half) * 100.0).ceil() / 100.0;
            // Spread over the seconds, as a feed would deliver them.
            tape.push(quote(ts + n as u64 * 1_000, InstrumentIx::from(n), bid, ask));
        }
    }
    tape.push(phase(Phase::Close, CLOSE + 1_000_000));
    tape
}

fn round(price: f64) -> f64 {
    (price * 100.0).round() / 100.0
}

/// A day that drifts little around 100.
pub fn quiet_day() -> Vec<Input> {
    day(|t| 100.0 + 0.15 * (t * 12.0).sin())
}

/// A day that falls through the puts after noon.
pub fn falling_day() -> Vec<Input> {
    day(|t| 100.0 + 0.15 * (t * 12.0).sin() - 5.0 * ((t - 0.3) * 3.0).clamp(0.0, 1.0))
}

/// What a run left.
pub struct Run {
    pub derived: Vec<Derived>,
    pub kernel: Kernel<Box<dyn Strategy>>,
}

impl Run {
    pub fn notes(&self) -> Vec<String> {
        let text = |derived: &Derived| match &derived.event {
            Event::Note { text, .. } => Some(text.clone()),
            _ => None,
        };
        self.derived.iter().filter_map(text).collect()
    }

    /// Fills as (event time, symbol, signed quantity, price).
    pub fn fills(&self) -> Vec<(Nanos, String, Qty, Price)> {
        let fill = |derived: &Derived| match &derived.event {
            Event::Fill { execution, .. } => {
                let symbol = self.kernel.instruments()[execution.instrument.index()].symbol.clone();
                Some((derived.ts, symbol, execution.quantity, execution.price))
            }
            _ => None,
        };
        self.derived.iter().filter_map(fill).collect()
    }

    pub fn position(&self, symbol: &str) -> Qty {
        let ix = self.kernel.instruments().iter().position(|def| def.symbol == symbol).unwrap();
        self.kernel.accounts()[0].quantity(InstrumentIx::from(ix))
    }

    pub fn refusals(&self) -> usize {
        self.derived.iter().filter(|d| matches!(d.event, Event::Risk { refused: Some(_), .. })).count()
    }
}

/// Runs inputs through a strategy; `ends` adds the end of the tape.
pub fn run_with(config: RunConfig, strategy: Box<dyn Strategy>, inputs: &[Input], ends: bool) -> Run {
    let mut config = config;
    let params = strategy.params().into_iter().map(|param| (param.key.to_string(), param.value)).collect();
    config.strategies = vec![StrategyConfig {
        name: strategy.name().to_string(),
        version: strategy.version().to_string(),
        params,
    }];
    let mut kernel = Kernel::new(config.clone(), vec![strategy]);
    let mut derived = Vec::new();
    let first = inputs.first().map_or(Nanos(0), |input| input.record.ts());
    let start = Record::new(Head::at(first, InstrumentIx::NONE), Body::Cold(0));
    kernel.apply(&start, Some(&Cold::Start(Box::new(config)))).unwrap();
    derived.extend(kernel.take_derived(Vec::new()));
    let mut last = first;
    for input in inputs {
        kernel.apply(&input.record, input.cold.as_ref()).unwrap();
        last = input.record.ts();
        derived.extend(kernel.take_derived(Vec::new()));
    }
    if ends {
        let mut end = Record::new(Head::at(last, InstrumentIx::NONE), Body::Seal);
        end.flags |= flags::END;
        kernel.apply(&end, None).unwrap();
        derived.extend(kernel.take_derived(Vec::new()));
    }
    Run { derived, kernel }
}

/// Runs a whole tape with the default configuration.
pub fn run(strategy: Box<dyn Strategy>, inputs: &[Input]) -> Run {
    run_with(RunConfig::default(), strategy, inputs, true)
}

/// A built-in strategy with parameters.
pub fn strategy(name: &str, params: &[(&str, &str)]) -> Box<dyn Strategy> {
    let mut strategy = onetape_strategies::Registry::builtin().create(name).unwrap();
    for (key, value) in params {
        strategy.set(key, value).unwrap();
    }
    strategy
}
