//! Real kill -9 of real paper runs: `faults --kill N`.
//!
//! A child of this program is `onetape paper` itself, at durability `order`, with an order every fifty quotes. It
//! writes a line for each order the moment it lets it leave; that is what was acknowledged. It is
//! killed at a random moment, looked at, resumed, killed again, up to five times, and run to its end.
//!
//! After each kill every acknowledged order must stand in the journal; at the end none may have left twice, the
//! orders that left must be those the journal sends, and the journal must re-derive and be identical when its
//! inputs run again.

use crate::run::Rng;
use onetape::Registry;
use onetape_engine::block::Block;
use onetape_journal::{Issued, JournalError, JournalReader};
use onetape_session::parity;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Set for children, which are the program under test.
const CHILD: &str = "ONETAPE_FAULTS_CHILD";
/// Kills of one run at most.
const KILLS_A_RUN: u64 = 5;
/// Longest wait for a child to do anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether this process is a child.
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// The program under test.
pub fn child() -> ExitCode {
    onetape::main_with(Registry::builtin())
}

/// What the kills came to.
#[derive(Debug, Default)]
pub struct Killed {
    outcomes: BTreeMap<&'static str, u64>,
    /// What must not be, with the seed that shows it.
    pub violations: Vec<String>,
}

impl Killed {
    fn tally(&mut self, outcome: &'static str, count: u64) {
        *self.outcomes.entry(outcome).or_default() += count;
    }

    fn check(&mut self, holds: bool, seed: u64, what: impl Fn() -> String) {
        if !holds {
            self.violations.push(format!("seed {seed}: {}", what()));
        }
    }
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcomes: Vec<String> =
            self.outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
        write!(f, "{}, {} violations", outcomes.join(", "), self.violations.len())?;
        self.violations.iter().try_for_each(|violation| write!(f, "\n    {violation}"))
    }
}

/// Kills paper runs so many times.
pub fn trials(kills: u64, seed: u64) -> Killed {
    let mut result = Killed::default();
    let (mut done, mut n) = (0, 0);
    while done < kills {
        n += 1;
        let seed = seed.wrapping_mul(1_000).wrapping_add(n);
        done += one_run(seed, KILLS_A_RUN.min(kills - done), &mut result);
    }
    result
}

/// One run, killed `kills` times; returns how often it was.
fn one_run(seed: u64, kills: u64, result: &mut Killed) -> u64 {
    let mut rng = Rng(seed);
    let out = tempfile::tempdir().unwrap();
    let speed = (5_000 + 1_000 * rng.below(20)).to_string();
    let begin = |speed: &str| {
        let strategy = ["--strategy", "dense", "--set", "every=50"];
        spawn(out.path(), &[&["paper", "--durability", "order", "--speed", speed][..], &strategy].concat())
    };
    let mut process = begin(&speed);
    let mut killed = 0;
    let mut run: Option<PathBuf> = None;
    while killed < kills {
        std::thread::sleep(Duration::from_millis(60 + rng.below(900) as u64));
        if process.try_wait().unwrap().is_some() {
            result.tally("ended before the kill", 1);
            break;
        }
        // SIGKILL: nothing of the process runs after it.
        process.kill().unwrap();
        process.wait().unwrap();
        killed += 1;
        result.tally("kills", 1);
        // After the last kill a run goes to its end at once.
        let speed = if killed == kills { "max" } else { &speed };
        run = run_in(out.path()).filter(|run| is_resumable(run));
        let Some(run) = &run else {
            result.tally("killed before the first commit, begun again", 1);
            check_nothing_left(out.path(), seed, result);
            fs::remove_dir_all(out.path().join("runs")).ok();
            process = begin(speed);
            continue;
        };
        check_acknowledged(run, seed, result);
        process = spawn(out.path(), &["paper", "--speed", speed, "--resume", &run.display().to_string()]);
        result.tally("resumed", 1);
    }
    wait(&mut process, seed, result);
    match run.or_else(|| run_in(out.path())) {
        Some(run) => check_whole(&run, seed, result),
        None => result.check(false, seed, || "no run was left".to_string()),
    }
    killed
}

fn spawn(work: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.current_dir(work).env(CHILD, "1").env_remove("ONETAPE_OUT").args(args).arg("--quiet");
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn wait(process: &mut Child, seed: u64, result: &mut Killed) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            return result.check(status.success(), seed, || format!("the last process ended with {status}"));
        }
        if Instant::now() >= deadline {
            process.kill().ok();
            process.wait().ok();
            return result.check(false, seed, || "the last process did not end".to_string());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn run_in(work: &Path) -> Option<PathBuf> {
    fs::read_dir(work.join("runs")).ok()?.flatten().map(|entry| entry.path()).next()
}

/// Whether a first block was committed.
fn is_resumable(run: &Path) -> bool {
    let reader = JournalReader::open(&run.join("journal"));
    reader.is_ok_and(|reader| {
        reader.anchor().is_some() && reader.blocks().next().is_some_and(|block| block.is_ok())
    })
}

/// Seqs acknowledged so far, in order; the lines of resumptions have none.
fn acknowledged(run: &Path) -> Vec<u64> {
    let text = fs::read_to_string(run.join("released.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    text[..whole]
        .lines()
        .filter_map(|line| line.strip_prefix("{\"seq\":")?.split(',').next()?.parse().ok())
        .collect()
}

/// Seqs of the orders and cancels that a journal's intact blocks send.
fn sent(run: &Path) -> Result<BTreeSet<u64>, JournalError> {
    let reader = JournalReader::open(&run.join("journal"))?;
    let mut sent = BTreeSet::new();
    let (mut blocks, mut block) = (reader.blocks(), Block::default());
    while blocks.next_block(&mut block).unwrap_or(false) {
        sent.extend(Issued::of(&block).map(|issued| issued.seq));
    }
    Ok(sent)
}

fn check_nothing_left(work: &Path, seed: u64, result: &mut Killed) {
    let left = run_in(work).map(|run| acknowledged(&run)).unwrap_or_default();
    result.check(left.is_empty(), seed, || format!("{} orders left without a commit", left.len()));
}

/// Right after a kill: what was acknowledged is in the journal.
fn check_acknowledged(run: &Path, seed: u64, result: &mut Killed) {
    let (told, sent) = (acknowledged(run), sent(run).unwrap());
    let lost = told.iter().filter(|seq| !sent.contains(seq)).count();
    result.tally("acknowledged orders looked for after kills", told.len() as u64);
    result.tally("of them lost", lost as u64);
    result.check(lost == 0, seed, || format!("{lost} acknowledged orders are in no block"));
    let waits = sent.len() - (told.len() - lost);
    result.tally("durable and not acknowledged when killed", waits as u64);
}

/// At the end: nothing doubled, nothing missing, and the journal proves itself.
fn check_whole(run: &Path, seed: u64, result: &mut Killed) {
    let told = acknowledged(run);
    let distinct: BTreeSet<u64> = told.iter().copied().collect();
    let doubled = told.len() - distinct.len();
    result.tally("orders in all", told.len() as u64);
    result.tally("of them doubled", doubled as u64);
    result.check(doubled == 0, seed, || format!("{doubled} orders left twice"));
    result.check(sent(run).unwrap() == distinct, seed, || {
        "the journal sends other orders than left".to_string()
    });
    let reader = JournalReader::open(&run.join("journal")).unwrap();
    let verified = reader.verify();
    result.check(verified.ok && verified.sealed, seed, || format!("verify: {}", verified.message));
    match parity(&reader, &Registry::builtin()) {
        Ok(parity) if parity.identical => result.tally("runs identical when run again", 1),
        Ok(parity) => result.check(false, seed, || format!("parity: {:?}", parity.difference)),
        Err(error) => result.check(false, seed, || format!("parity: {error}")),
    }
}
