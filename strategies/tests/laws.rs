//! Laws that every built-in strategy keeps: no look-ahead, and a saved state that holds everything.

mod common;

use common::{falling_day, quiet_day, run, run_with, strategy};
use onetape_engine::config::RunConfig;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::record::{Bar, SessionPhase, Statistic, Trade};
use onetape_engine::strategy::{Ctx, FillReport, Flow, OrderUpdate, Param, ParamError, StateError, Strategy};
use onetape_strategies::Registry;

const SCRIPT: &str = r#"
liquidate_at = "2025-05-16 15:00:00"
[[order]]
at = "2025-05-16 10:00:00"
symbol = "ONE"
quantity = 100
[[order]]
when = "quoted"
legs = [
  { root = "ONE", expiry = "2025-05-23", strike = 99, right = "P", quantity = -2 },
  { root = "ONE", expiry = "2025-05-23", strike = 98, right = "P", quantity = 2 },
]
[[order]]
at = "2025-05-16T15:10:00Z"
symbol = "ONE"
quantity = -50
limit = 100.5
[[exercise]]
at = "2025-05-16 10:00:00"
root = "ONE"
expiry = "2025-05-16"
strike = 99
right = "C"
contracts = 0
"#;

/// Every strategy with parameters that make it act on the test days.
fn cases() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let mut cases: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for name in Registry::builtin().names() {
        let params = match name {
            "ema-cross" => vec![("fast", "5"), ("slow", "20"), ("quantity", "10")],
            "market-maker" => vec![("requote", "0.03")],
            "script" => vec![("script", SCRIPT)],
            _ => Vec::new(),
        };
        cases.push((name, params));
    }
    cases
}

#[test]
fn a_prefix_of_the_tape_derives_a_prefix_of_the_events() {
    for tape in [quiet_day(), falling_day()] {
        for (name, params) in cases() {
            let whole = run(strategy(name, &params), &tape).derived;
            for percent in [5, 20, 50, 70, 95] {
                let cut = &tape[..tape.len() * percent / 100];
                let part = run_with(RunConfig::default(), strategy(name, &params), cut, false).derived;
                assert!(part.len() <= whole.len(), "{name} at {percent} %");
                assert_eq!(part, whole[..part.len()], "{name} at {percent} %");
            }
        }
    }
}

/// Replaces the strategy by a fresh one with its saved bytes, again and again.
struct Reborn {
    name: &'static str,
    inner: Box<dyn Strategy>,
    calls: u32,
}

impl Reborn {
    fn rebirth(&mut self, is_rare: bool) -> &mut Box<dyn Strategy> {
        self.calls += 1;
        if is_rare || self.calls.is_multiple_of(97) {
            let mut bytes = Vec::new();
            self.inner.save(&mut bytes);
            let mut fresh = strategy(self.name, &[]);
            fresh.load(&bytes).unwrap();
            let mut again = Vec::new();
            fresh.save(&mut again);
            assert_eq!(bytes, again, "{}", self.name);
            self.inner = fresh;
        }
        &mut self.inner
    }
}

impl Strategy for Reborn {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn version(&self) -> &'static str {
        self.inner.version()
    }
    fn params(&self) -> Vec<Param> {
        self.inner.params()
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        self.inner.set(key, value)
    }
    fn save(&self, out: &mut Vec<u8>) {
        self.inner.save(out);
    }
    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        self.inner.load(bytes)
    }
    fn on_start(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        self.rebirth(true).on_start(ctx)
    }
    fn on_definition(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        self.rebirth(true).on_definition(ctx, instrument)
    }
    fn on_session(&mut self, ctx: &mut Ctx<'_>, phase: &SessionPhase) -> Flow {
        self.rebirth(true).on_session(ctx, phase)
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        self.rebirth(false).on_quote(ctx, instrument)
    }
    fn on_trade(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, trade: &Trade) -> Flow {
        self.rebirth(true).on_trade(ctx, instrument, trade)
    }
    fn on_bar(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, bar: &Bar) -> Flow {
        self.rebirth(true).on_bar(ctx, instrument, bar)
    }
    fn on_statistic(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, statistic: &Statistic) -> Flow {
        self.rebirth(true).on_statistic(ctx, instrument, statistic)
    }
    fn on_timer(&mut self, ctx: &mut Ctx<'_>, id: u64) -> Flow {
        self.rebirth(true).on_timer(ctx, id)
    }
    fn on_order(&mut self, ctx: &mut Ctx<'_>, update: &OrderUpdate) -> Flow {
        self.rebirth(true).on_order(ctx, update)
    }
    fn on_fill(&mut self, ctx: &mut Ctx<'_>, fill: &FillReport) -> Flow {
        self.rebirth(true).on_fill(ctx, fill)
    }
    fn on_expiry(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        self.rebirth(true).on_expiry(ctx, instrument)
    }
    fn on_end(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        self.rebirth(true).on_end(ctx)
    }
}

#[test]
fn saved_bytes_hold_everything_that_decides_the_future() {
    for tape in [quiet_day(), falling_day()] {
        for (name, params) in cases() {
            let plain = run(strategy(name, &params), &tape);
            let reborn = Reborn { name, inner: strategy(name, &params), calls: 0 };
            let reborn = run(Box::new(reborn), &tape);
            assert_eq!(plain.derived, reborn.derived, "{name}");
            if !matches!(name, "count") {
                assert!(!plain.fills().is_empty(), "{name} must act on the test day");
            }
        }
    }
}

#[test]
fn unreadable_bytes_are_refused_and_change_nothing() {
    for name in Registry::builtin().names() {
        let mut kept = strategy(name, &[]);
        let mut bytes = Vec::new();
        kept.save(&mut bytes);
        let mut longer = bytes.clone();
        longer.push(0);
        let shorter = &bytes[..bytes.len() - 1];
        for bad in [&longer[..], shorter, &[]] {
            let error = kept.load(bad).unwrap_err();
            assert_eq!(error.strategy, name);
            let mut after = Vec::new();
            kept.save(&mut after);
            assert_eq!(after, bytes, "{name}");
        }
    }
}
