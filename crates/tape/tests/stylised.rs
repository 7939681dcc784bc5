//! Generated markets keep the figures of real ones: three ordinary seeds, and the scenarios differ where
//! they should.

use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Record};
use onetape_tape::generate::acceptance::check_request;
use onetape_tape::generate::{GenerateError, GenerateRequest, Scenario, Sink, generate_into};

fn every_figure_is_in_its_band(seed: u64) {
    let figures = check_request(&GenerateRequest::new(seed)).expect("a valid request");
    assert!(figures.len() >= 30);
    let outside: Vec<_> = figures.iter().filter(|figure| !figure.ok).collect();
    assert!(outside.is_empty(), "seed {seed}: {outside:#?}");
}

#[test]
fn seed_1_keeps_every_figure() {
    every_figure_is_in_its_band(1);
}

#[test]
fn seed_2_keeps_every_figure() {
    every_figure_is_in_its_band(2);
}

#[test]
fn seed_3_keeps_every_figure() {
    every_figure_is_in_its_band(3);
}

/// Counts what the scenarios are about.
#[derive(Default)]
struct Counts {
    halted: usize,
    silent_ns: u64,
    last_ts: u64,
    is_open: bool,
}

impl Sink for Counts {
    fn define(&mut self, _: Nanos, _: &InstrumentDef) -> Result<(), GenerateError> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<(), GenerateError> {
        if self.is_open {
            self.silent_ns = self.silent_ns.max(record.ts - self.last_ts);
        }
        self.last_ts = record.ts;
        match record.body() {
            Some(Body::SessionPhase(phase)) => self.is_open = phase.phase == 1,
            Some(Body::Status(status)) => self.halted += usize::from(status.state == 2),
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn a_halt_stops_every_instrument_and_a_dirty_feed_falls_silent() {
    let run = |scenario| {
        let mut counts = Counts::default();
        let request = GenerateRequest { scenario, events: Some(1), ..GenerateRequest::new(4) };
        generate_into(&request, &mut counts, &mut |_| {}).expect("a valid request");
        counts
    };
    let halt = run(Scenario::Halt);
    assert!(halt.halted > 300 && halt.silent_ns > 299_000_000_000);
    let dirty = run(Scenario::Dirty);
    assert!(dirty.halted == 0 && dirty.silent_ns > 44_000_000_000);
}
