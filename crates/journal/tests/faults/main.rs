//! Fault trials: damage to finished journals, power cuts, failing operations.
//!
//! The counts here keep the test run short; the same trials run at any length as a program.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

mod run;
mod sled_files;
mod trials;

use trials::{Counts, Damage};

const SEED: u64 = 20_260_101;

fn report(name: &str, counts: &Counts) {
    println!("{name}: {counts}");
    assert!(counts.violations.is_empty(), "{name}: {counts}");
}

#[test]
fn every_damage_to_a_sealed_journal_is_named() {
    for kind in Damage::ALL {
        report(&format!("sealed {kind:?}"), &trials::finished(kind, true, 25, SEED));
    }
}

#[test]
fn damage_without_a_seal_is_named_or_harmless() {
    for kind in Damage::ALL {
        report(&format!("unsealed {kind:?}"), &trials::finished(kind, false, 25, SEED));
    }
}

#[test]
fn nothing_committed_is_lost_on_the_simulated_disk() {
    report("simulated power cuts", &trials::simulated_power_cuts(200, SEED));
}

#[test]
fn a_failing_operation_stops_the_writer_for_good() {
    report("failing operations", &trials::failing_operations(SEED));
}

#[test]
fn nothing_committed_is_lost_from_real_database_files() {
    report("power cuts on database files", &sled_files::power_cuts(60, SEED));
}
