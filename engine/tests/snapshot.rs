//! A kernel made from a snapshot goes on exactly as the one it was taken from.

mod common;

use common::*;
use onetape_engine::event::Derived;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::SCALE;
use onetape_engine::order::{OrderType, Package, TimeInForce, Trigger};
use onetape_engine::record::Phase;
use onetape_engine::strategy::{Ctx, Flow, StateError, Strategy};
use onetape_engine::{Kernel, Qty, SnapshotError};
use rand::Rng;

/// Sends something of every kind, moved by its own random stream and counters.
#[derive(Debug, Default)]
struct Busy {
    quotes: u64,
}

impl Strategy for Busy {
    fn name(&self) -> &'static str {
        "busy"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn save(&self, out: &mut Vec<u8>) {
        out.extend(self.quotes.to_le_bytes());
    }
    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let bytes =
            bytes.try_into().map_err(|_| StateError { strategy: "busy".into(), version: "1".into() })?;
        self.quotes = u64::from_le_bytes(bytes);
        Ok(())
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, ix: InstrumentIx) -> Flow {
        self.quotes += 1;
        let sign = if ctx.rng().next_u32() % 2 == 0 { 1 } else { -1 };
        let quantity = qty(sign * (1 + i64::from(ctx.rng().next_u32() % 3)));
        let Some(mid) = ctx.price(ix) else { return Flow::Continue };
        let cent = SCALE / 100;
        let tick = onetape_engine::Price(mid.0 / cent * cent);
        match self.quotes % 7 {
            0 => drop(ctx.submit(Package::market(ix, quantity))),
            1 => drop(ctx.submit(Package::limit(ix, quantity, tick).with_tif(TimeInForce::Gtc).in_group(3))),
            2 => {
                let stop = OrderType::Stop(Trigger { persist_ns: 0, ..Trigger::at(tick) });
                ctx.submit(Package { order_type: stop, ..Package::market(ix, quantity) });
            }
            3 => {
                let until = ctx.now().after(3 * MS);
                ctx.submit(Package::limit(ix, quantity, tick).with_tif(TimeInForce::Gtd(until)));
            }
            4 => ctx.timer(ctx.now().after(2 * MS), self.quotes),
            5 => ctx.cancel(onetape_engine::ids::OrderIx((self.quotes / 3) as u32)),
            _ => ctx.exercise(CALL, Qty::ONE),
        }
        Flow::Continue
    }
    fn on_timer(&mut self, ctx: &mut Ctx<'_>, id: u64) -> Flow {
        ctx.note(format!("rang {id} at {:?}", ctx.now()));
        Flow::Continue
    }
}

fn tape() -> (onetape_engine::config::RunConfig, Tape) {
    let mut config = bare();
    config.mark_interval_ns = 40 * MS;
    config.risk.orders_per_second_max = Some(600);
    let mut tape = Tape::with_options(&config);
    for n in 0..900u64 {
        let ix = InstrumentIx((n % 3) as u32);
        let base = if ix == STOCK { 100 } else { 2 };
        let bid = format!("{base}.{:02}", 10 + (n * 7) % 13);
        let ask = format!("{base}.{:02}", 12 + (n * 7) % 13);
        tape.at(1 + n).quote(ix, (&bid, 20), (&ask, 20));
    }
    tape.at(CLOSE_MS).phase(Phase::Close);
    tape.at(DAY_MS).end();
    (config, tape)
}

#[test]
fn a_restored_kernel_derives_what_the_first_one_derives() {
    let (config, tape) = tape();
    let run = |kernel: &mut Kernel<Busy>, from: usize, to: usize| -> Vec<Vec<Derived>> {
        tape.inputs[from..to]
            .iter()
            .map(|input| {
                kernel.apply(&input.record, input.cold.as_ref()).unwrap();
                kernel.take_derived(Vec::new())
            })
            .collect()
    };
    let mut whole = Kernel::new(config.clone(), vec![Busy::default()]);
    let all = run(&mut whole, 0, tape.inputs.len());
    let names: std::collections::BTreeSet<&str> =
        all.iter().flatten().map(|derived| derived.event.name()).collect();
    for name in ["fill", "triggered", "timer", "mark", "exercise_advised", "cancel_requested", "expired"] {
        assert!(names.contains(name), "the tape leads to {name}");
    }
    for cut in [0, 1, 5, 100, 457, 700, 903, tape.inputs.len() - 1] {
        let mut first = Kernel::new(config.clone(), vec![Busy::default()]);
        run(&mut first, 0, cut);
        let bytes = first.save().unwrap();
        let mut second = Kernel::restore(config.clone(), vec![Busy::default()], &bytes).unwrap();
        assert_eq!(second.save().unwrap(), bytes, "saving what was restored gives the same bytes");
        assert_eq!(run(&mut second, cut, tape.inputs.len()), all[cut..], "cut at {cut}");
        assert_eq!(second.last_state_hash(), whole.last_state_hash());
    }
}

#[test]
fn snapshots_are_refused_inside_a_block_and_when_damaged() {
    let (config, tape) = tape();
    let mut kernel = Kernel::new(config.clone(), vec![Busy::default()]);
    for input in &tape.inputs[..300] {
        kernel.apply(&input.record, input.cold.as_ref()).unwrap();
    }
    assert!(matches!(kernel.save(), Err(SnapshotError::InsideBlock { .. })));
    kernel.take_derived(Vec::new());
    let bytes = kernel.save().unwrap();
    let restore = |bytes: &[u8]| Kernel::restore(config.clone(), vec![Busy::default()], bytes).map(|_| ());
    assert_eq!(restore(&bytes), Ok(()));
    for at in (0..bytes.len()).step_by(1 + bytes.len() / 200) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        assert!(restore(&flipped).is_err(), "byte {at}");
    }
    assert!(restore(&bytes[..bytes.len() / 2]).is_err());
    assert!(restore(&[]).is_err());
}
