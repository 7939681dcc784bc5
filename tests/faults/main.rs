//! Fault trials of any length: `cargo run --release -p onetape-tests --bin faults -- --trials 1000 --seed 7`.
//!
//! Prints what every kind of damage, power cut and failing operation led to, with the seeds
//! of violations; exits 1 when there is one. The trials are those of the journal's own tests.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

#[path = "../../crates/journal/tests/faults/run.rs"]
mod run;
#[path = "../../crates/journal/tests/faults/sled_files.rs"]
mod sled_files;
#[path = "../../crates/journal/tests/faults/trials.rs"]
mod trials;

use std::process::ExitCode;
use trials::{Counts, Damage};

/// Value of `--name`, a number.
fn option(name: &str, default: u64) -> Result<u64, String> {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    match (args.next(), args.next()) {
        (None, _) => Ok(default),
        (_, Some(value)) => value.parse().map_err(|_| format!("{name} {value}: a number expected")),
        (_, None) => Err(format!("{name} needs a number")),
    }
}

fn main() -> ExitCode {
    let (trials, seed) = match (option("--trials", 300), option("--seed", 1)) {
        (Ok(trials), Ok(seed)) => (trials, seed),
        (Err(problem), _) | (_, Err(problem)) => {
            eprintln!("{problem}\nusage: faults [--trials N] [--seed S]");
            return ExitCode::from(2);
        }
    };
    println!("{trials} trials of each kind, seed {seed}");
    let mut violations = 0;
    let mut report = |name: String, counts: &Counts| {
        println!("{name}: {counts}");
        violations += counts.violations.len();
    };
    for kind in Damage::ALL {
        report(format!("sealed {kind:?}"), &trials::finished(kind, true, trials, seed));
        report(format!("unsealed {kind:?}"), &trials::finished(kind, false, trials, seed));
    }
    report("failing operations".to_string(), &trials::failing_operations(seed));
    report("power cuts on the simulated disk".to_string(), &trials::simulated_power_cuts(2 * trials, seed));
    report("power cuts on database files".to_string(), &sled_files::power_cuts(trials, seed));
    println!("{violations} violations");
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
