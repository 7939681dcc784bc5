//! The chain that re-marks itself on every quote of the underlying.

mod common;

use common::*;
use onetape_engine::Kernel;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::instrument::{ExerciseStyle, Right};
use onetape_engine::live_chain::LiveChain;
use onetape_engine::strategy::{Ctx, Flow, StateError, Strategy};
use onetape_pricing::american::{self, Scheme};
use onetape_pricing::bsm::{self, BsmInputs};

/// Shows every quote to a live chain and compares it with the full calculation.
#[derive(Default)]
struct Watcher {
    live: Option<LiveChain>,
    compared: u32,
}

impl Watcher {
    fn compare(&mut self, ctx: &Ctx<'_>) {
        let Some(live) = &self.live else { return };
        for &series in live.series() {
            let Some(risk) = live.risk(series) else { continue };
            let terms = ctx.instrument(series).and_then(|def| def.option.as_ref()).expect("a series");
            let inputs = BsmInputs {
                spot: ctx.price(terms.underlying).expect("a price").to_f64(),
                strike: terms.strike.to_f64(),
                years: terms.years_to_expiry(ctx.now()),
                rate: ctx.config().rate,
                dividend_yield: 0.01,
                vol: live.vol(series).expect("a marked series has a volatility"),
            };
            let (price, delta) = if terms.style == ExerciseStyle::American {
                let g = american::greeks(&inputs, terms.right, Scheme::Fast);
                (g.price, g.delta)
            } else {
                (bsm::price(&inputs, terms.right), bsm::delta(&inputs, terms.right))
            };
            assert!((risk.price - price).abs() < 1e-4, "{risk:?} {price} {inputs:?}");
            assert!((risk.delta - delta).abs() < 1e-3, "{risk:?} {delta} {inputs:?}");
            self.compared += 1;
        }
    }
}

impl Strategy for Watcher {
    fn name(&self) -> &'static str {
        "watcher"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn save(&self, out: &mut Vec<u8>) {
        if let Some(live) = &self.live {
            live.save(out);
        }
    }
    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        match &mut self.live {
            None => self.live = LiveChain::new(ctx, STOCK, 0.01),
            Some(live) => {
                live.on_quote(ctx, instrument);
                live.advance(ctx);
            }
        }
        self.compare(ctx);
        if let Some(live) = &self.live {
            // What was saved brings a fresh chain to the same marks, bit for bit.
            let (mut bytes, mut again) = (Vec::new(), LiveChain::new(ctx, STOCK, 0.01).expect("listed"));
            live.save(&mut bytes);
            assert!(again.load(&bytes) && !again.load(&bytes[8..]));
            let bits = |live: &LiveChain| live.prices().iter().map(|p| p.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&again), bits(live));
            assert_eq!(live.expiry(0).len() + live.expiry(1).len(), live.series().len());
        }
        Flow::Continue
    }
}

#[test]
fn a_live_chain_is_the_full_calculation_at_every_quote() {
    let config = bare();
    for style in [ExerciseStyle::European, ExerciseStyle::American] {
        let mut defs = vec![onetape_engine::instrument::InstrumentDef::equity("STK")];
        for strike in [98, 100, 102] {
            for right in [Right::Call, Right::Put] {
                let mut def = series(right, strike);
                def.option.as_mut().expect("a series").style = style;
                defs.push(def);
            }
        }
        let mut tape = Tape::with(&config, defs);
        tape.at(1_000).quote(STOCK, ("100.00", 5), ("100.02", 5));
        tape.at(1_001).quote(InstrumentIx(1), ("2.30", 5), ("2.50", 5));
        tape.at(1_002).quote(InstrumentIx(4), ("0.45", 5), ("0.55", 5));
        tape.at(2_000).quote(STOCK, ("100.50", 5), ("100.52", 5));
        tape.at(3_000).quote(InstrumentIx(6), ("1.60", 5), ("1.70", 5));
        tape.at(3_600_000).quote(STOCK, ("99.20", 5), ("99.24", 5));
        tape.end();
        let mut kernel = Kernel::new(config.clone(), vec![Watcher::default()]);
        for input in &tape.inputs {
            kernel.apply(&input.record, input.cold.as_ref()).expect("the tape is sound");
            kernel.take_derived(Vec::new());
        }
        let watcher = kernel.strategies().next().expect("the run's strategy");
        assert!(watcher.compared >= 9, "{style:?}: {}", watcher.compared);
    }
}
