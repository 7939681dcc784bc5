//! The live stack in one thread from a seed: the sequencer and loop of a real run, a virtual clock, a source that
//! bursts, stalls and delivers out of order, a journal writer that falls behind, an operator's commands.
//!
//! Whatever happens, the journal must be one that its own inputs write again, and what the sequencer
//! promises must hold. Counters show that every branch was taken. A failing seed prints its command;
//! `ONETAPE_SIMULATION_SEED=7 cargo test -p onetape-tests --test simulation` runs it alone.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod stack;

use stack::{Seen, run};

/// Seeds of the suite.
const SEEDS: u64 = 150;

#[test]
fn whatever_the_feed_does_the_journal_writes_itself_again() {
    let one = std::env::var("ONETAPE_SIMULATION_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let seeds = one.map_or(1..=SEEDS, |seed| seed..=seed);
    let mut seen = Seen::default();
    for seed in seeds {
        let found = std::panic::catch_unwind(|| run(seed)).unwrap_or_else(|_| {
            panic!("ONETAPE_SIMULATION_SEED={seed} cargo test -p onetape-tests --test simulation")
        });
        seen.add(&found);
    }
    println!("{seen:?}");
    if one.is_none() {
        assert_eq!(seen.missing(), Vec::<&str>::new(), "branches that no seed took");
    }
}
