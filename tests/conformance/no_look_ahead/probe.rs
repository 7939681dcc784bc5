//! A strategy that acts on everything it sees and writes down what the loop shows it.

use onetape_engine::config::{RunConfig, StrategyConfig};
use onetape_engine::event::Derived;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::{Cold, Input};
use onetape_engine::order::Package;
use onetape_engine::record::{Bar, Body, Head, Record, Statistic};
use onetape_engine::strategy::{Ctx, Flow, StateError, Strategy};
use onetape_engine::{Kernel, Nanos, Qty};

/// Buys what rose and sells what fell, at the market and at limits, and notes the book.
#[derive(Debug, Default)]
struct Probe {
    last: Vec<i64>,
    calls: u64,
}

impl Probe {
    fn see(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, what: &str, value: i64) -> Flow {
        let place = instrument.index();
        self.last.resize(self.last.len().max(place + 1), 0);
        let before = std::mem::replace(&mut self.last[place], value);
        self.calls += 1;
        if let Some(top) = ctx.top(instrument) {
            let text =
                format!("{what} {place} {value} at {}: {top:?} {:?}", ctx.now().0, ctx.price(instrument));
            ctx.note(text);
        }
        let quantity = if value >= before { Qty::ONE } else { Qty::ONE.neg() };
        if before != 0 && self.calls.is_multiple_of(3) {
            ctx.submit(Package::market(instrument, quantity));
        }
        if let Some(price) = ctx.price(instrument).filter(|_| self.calls.is_multiple_of(5)) {
            let tick = ctx.instrument(instrument).map_or(price, |def| def.tick.floor(price));
            ctx.submit(Package::limit(instrument, quantity, tick));
        }
        Flow::Continue
    }
}

impl Strategy for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn save(&self, out: &mut Vec<u8>) {
        out.extend(self.calls.to_le_bytes());
        self.last.iter().for_each(|value| out.extend(value.to_le_bytes()));
    }
    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        let value = ctx.top(instrument).map_or(0, |top| top.bid.price.0 + top.ask.price.0);
        self.see(ctx, instrument, "quote", value)
    }
    fn on_bar(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, bar: &Bar) -> Flow {
        self.see(ctx, instrument, "bar", bar.close)
    }
    fn on_statistic(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, statistic: &Statistic) -> Flow {
        self.see(ctx, instrument, "statistic", statistic.value)
    }
}

/// Every event that a probe's run over these inputs derives, without an end of the tape.
pub(super) fn run(inputs: &[Input]) -> Vec<Derived> {
    let strategies =
        vec![StrategyConfig { name: "probe".to_string(), version: "1".to_string(), params: Vec::new() }];
    let config = RunConfig { strategies, extended_hours: true, ..RunConfig::default() };
    let mut kernel = Kernel::new(config.clone(), vec![Probe::default()]);
    let first = inputs.first().map_or(Nanos(0), |input| input.record.ts());
    let start = Record::new(Head::at(first, InstrumentIx::NONE), Body::Cold(0));
    kernel.apply(&start, Some(&Cold::Start(Box::new(config)))).unwrap();
    let mut derived = kernel.take_derived(Vec::new());
    for input in inputs {
        kernel.apply(&input.record, input.cold.as_ref()).unwrap();
        derived.extend(kernel.take_derived(Vec::new()));
    }
    derived
}
