//! Fault trials of any length: `cargo run --release -p onetape-tests --bin faults -- --trials 1000 --seed 7`.
//!
//! Prints what every kind of damage, power cut, betrayed write and failing operation led to, with the
//! seeds of violations; exits 1 when there is one, or when a branch that matters was never taken.
//! Trials that need no other process are those of the journal's own tests.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

#[path = "../../crates/journal/tests/faults/disk.rs"]
mod disk;
mod files;
mod kill;
mod medium;
mod recording;
#[path = "../../crates/journal/tests/faults/referring.rs"]
mod referring;
#[path = "../../crates/journal/tests/faults/run.rs"]
mod run;
#[path = "../../crates/journal/tests/faults/sled_files.rs"]
mod sled_files;
#[path = "../../crates/journal/tests/faults/trials.rs"]
mod trials;

use recording::{Recorder, WRITER_FLAG};
use std::process::ExitCode;
use std::time::Instant;
use trials::{Counts, Damage};

/// From so many trials on, every branch must have been taken.
const ENOUGH: u64 = 100;

/// Value of `--name`, a number.
fn option(name: &str, default: u64) -> Result<u64, String> {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    match (args.next(), args.next()) {
        (None, _) => Ok(default),
        (_, Some(value)) => value.parse().map_err(|_| format!("{name} {value}: a number expected")),
        (_, None) => Err(format!("{name} needs a number")),
    }
}

/// What all trials of a run came to.
struct Ledger {
    is_enough: bool,
    trials: u64,
    violations: usize,
    untried: usize,
    started: Instant,
}

impl Ledger {
    fn enter(&mut self, name: &str, counts: &Counts, branches: &[&'static str]) {
        println!("{name}: {counts}   [{:.0} s]", self.started.elapsed().as_secs_f64());
        self.trials += counts.trials;
        self.violations += counts.violations.len();
        let missing = if self.is_enough { counts.missing(branches) } else { Vec::new() };
        for branch in &missing {
            println!("    never reached: {branch}");
        }
        self.untried += missing.len();
        self.started = Instant::now();
    }
}

/// `--kill N`: real kills of real processes, and nothing else.
fn kill_trials(kills: u64, seed: u64) -> ExitCode {
    let killed = kill::trials(kills, seed);
    println!("kill -9 of paper runs at durability order: {killed}");
    if killed.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn main() -> ExitCode {
    if kill::is_child() {
        return kill::child();
    }
    match (option("--kill", 0), option("--seed", 1)) {
        (Ok(kills), Ok(seed)) if kills > 0 => return kill_trials(kills, seed),
        _ => {}
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|flag| flag == WRITER_FLAG) {
        return recording::writer(&args[1..]);
    }
    let (trials, seed) = match (option("--trials", 300), option("--seed", 1)) {
        (Ok(trials), Ok(seed)) => (trials, seed),
        (Err(problem), _) | (_, Err(problem)) => {
            eprintln!("{problem}\nusage: faults [--trials N] [--seed S]");
            return ExitCode::from(2);
        }
    };
    println!("{trials} trials of each kind, seed {seed}");
    let mut ledger =
        Ledger { is_enough: trials >= ENOUGH, trials: 0, violations: 0, untried: 0, started: Instant::now() };
    finished_journals(&mut ledger, trials, seed);
    referring_journals(&mut ledger, trials, seed);
    simulated_disk(&mut ledger, trials, seed);
    database_files(&mut ledger, trials, seed);
    let Ledger { trials, violations, untried, .. } = ledger;
    println!("{trials} trials, {violations} violations, {untried} branches never reached");
    if violations + untried == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn finished_journals(ledger: &mut Ledger, trials: u64, seed: u64) {
    for kind in Damage::ALL {
        let sealed = trials::finished(kind, true, trials, seed);
        ledger.enter(&format!("sealed {kind:?}"), &sealed, &["named", "named, every block intact"]);
        let open = trials::finished(kind, false, trials, seed);
        ledger.enter(&format!("unsealed {kind:?}"), &open, &["named", "harmless, every block intact"]);
    }
}

fn referring_journals(ledger: &mut Ledger, trials: u64, seed: u64) {
    let referring = referring::Referring::new(seed);
    for kind in Damage::ALL {
        let sealed = referring.finished(kind, true, trials, seed);
        ledger.enter(&format!("refs, sealed {kind:?}"), &sealed, &["named"]);
        // So short a journal has no page to spare: damage to a whole one always shows.
        let expected: &[&str] = match kind {
            Damage::Flip | Damage::Truncate => &["named", "harmless, every block intact"],
            Damage::Zero | Damage::Duplicate | Damage::Swap => &["named"],
        };
        let open = referring.finished(kind, false, trials, seed);
        ledger.enter(&format!("refs, unsealed {kind:?}"), &open, expected);
        let session = referring.session_damaged(kind, trials, seed);
        ledger.enter(&format!("refs, session {kind:?}"), &session, &["named"]);
    }
}

fn simulated_disk(ledger: &mut Ledger, trials: u64, seed: u64) {
    let branches = [
        "puts kept",
        "puts dropped",
        "puts torn",
        "puts garbage",
        "cuts during a slow sync",
        "cuts during a slow write ahead",
        "found with blocks written ahead of the database",
        "found as last committed",
        "found with blocks that were not committed",
    ];
    ledger.enter("simulated disk, power cuts", &disk::power_cuts(2 * trials, seed), &branches);
    let branches = ["writes lost", "writes misdirected", "named"];
    ledger.enter("simulated disk, betrayed writes", &disk::betrayed_writes(trials, seed), &branches);
    let branches = ["writes ahead lost", "writes ahead misdirected", "named", "every block intact"];
    ledger.enter("simulated disk, betrayed writes ahead", &disk::betrayed_ahead(trials, seed), &branches);
    let branches = [
        "broken disks",
        "single errors",
        "full disks",
        "of them while writing ahead",
        "found as last committed",
    ];
    ledger.enter("simulated disk, every operation failing", &disk::failing_operations(seed), &branches);
}

fn database_files(ledger: &mut Ledger, trials: u64, seed: u64) {
    let branches = ["found as last committed", "found with all of the cut commit"];
    ledger.enter("files mixed from two commits", &sled_files::power_cuts(trials, seed), &branches);
    let folder = tempfile::tempdir().unwrap();
    let Some(recorder) = Recorder::build(folder.path()) else { return };
    let branches = [
        "writes kept",
        "writes dropped",
        "writes cut off",
        "writes torn by sectors",
        "sectors of garbage",
        "names kept",
        "names dropped",
        "cuts while sealing",
        "cuts while written ahead",
        "nothing was committed",
        "found as last committed",
        "found with all of the cut commit",
    ];
    let cuts = files::power_cuts(&recorder, folder.path(), trials, seed);
    ledger.enter("recorded files, power cuts", &cuts, &branches);
    let branches = ["writes lost", "writes misdirected", "named", "harmless, every block intact"];
    let betrayed = files::betrayed_writes(&recorder, folder.path(), trials, seed);
    ledger.enter("recorded files, betrayed writes", &betrayed, &branches);
    let branches = [
        "stopped by a broken disk",
        "stopped by one error",
        "stopped by a full disk",
        "writes under a failed sync",
        "found as last committed",
    ];
    let refused = files::refusals(&recorder, folder.path(), seed);
    ledger.enter("recorded files, every call refused", &refused, &branches);
}
