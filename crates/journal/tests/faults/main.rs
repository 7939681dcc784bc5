//! Fault trials: damage to finished journals, power cuts, failing operations.
//!
//! The counts here keep the test run short; the same trials run at any length as a program.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

mod disk;
mod referring;
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
fn damage_to_a_journal_that_refers_or_to_its_session_is_named_or_harmless() {
    let referring = referring::Referring::new(SEED);
    for kind in Damage::ALL {
        report(&format!("refs, sealed {kind:?}"), &referring.finished(kind, true, 15, SEED));
        report(&format!("refs, unsealed {kind:?}"), &referring.finished(kind, false, 15, SEED));
        report(&format!("refs, session {kind:?}"), &referring.session_damaged(kind, 15, SEED));
    }
}

#[test]
fn nothing_committed_is_lost_on_the_simulated_disk() {
    let counts = disk::power_cuts(200, SEED);
    report("simulated power cuts", &counts);
    let ahead = ["cuts during a slow write ahead", "found with blocks written ahead of the database"];
    assert_eq!(counts.missing(&ahead), [""; 0]);
    assert_eq!(counts.missing(&["cuts during a slow sync", "puts torn", "puts garbage"]), [""; 0]);
}

#[test]
fn a_write_that_is_not_where_it_should_be_is_named() {
    let counts = disk::betrayed_writes(200, SEED);
    report("lost and misdirected writes", &counts);
    assert_eq!(counts.missing(&["writes lost", "writes misdirected", "named"]), [""; 0]);
    let counts = disk::betrayed_ahead(200, SEED);
    report("lost and misdirected writes ahead", &counts);
    let branches = ["writes ahead lost", "writes ahead misdirected", "named", "every block intact"];
    assert_eq!(counts.missing(&branches), [""; 0]);
}

#[test]
fn a_failing_operation_stops_the_writer_for_good() {
    let counts = disk::failing_operations(SEED);
    report("failing operations", &counts);
    assert_eq!(counts.missing(&["broken disks", "single errors", "full disks"]), [""; 0]);
}

#[test]
fn nothing_committed_is_lost_from_real_database_files() {
    report("power cuts on database files", &sled_files::power_cuts(60, SEED));
}
