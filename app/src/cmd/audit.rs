//! `onetape audit`.

use crate::Session;
use crate::cli::AuditCommand;
use crate::failure::{CHECK, Failure, INPUT};
use crate::report::{self, count};
use onetape_engine::block::Block;
use onetape_engine::block::Entry;
use onetape_journal::{Diff, Filter, JournalError, JournalReader, Names, Rendered, diff, repair};
use onetape_session::{Rederivation, Rederived};
use serde::Serialize;
use std::path::{Path, PathBuf};

pub(crate) fn run(command: &AuditCommand, session: &Session<'_>) -> Result<u8, Failure> {
    match command {
        AuditCommand::Verify { run, rederive, expect, out } => {
            verify(&find_run(run, out)?, *rederive, expect.as_deref(), session)
        }
        AuditCommand::Repair { run, out } => mend(&find_run(run, out)?, session),
        AuditCommand::Diff { run_a, run_b, out } => {
            compare(&find_run(run_a, out)?, &find_run(run_b, out)?, session)
        }
        AuditCommand::Show { run, kind, instrument, from, to, out } => {
            let filter = Filter {
                kinds: kind.iter().map(|kind| check_kind(kind)).collect::<Result<_, _>>()?,
                instrument: instrument.clone(),
                from: *from,
                to: *to,
            };
            show(&find_run(run, out)?, filter, session)
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Failure {
        let code = match error {
            JournalError::Failed { .. } | JournalError::Thread => crate::failure::IO,
            _ => INPUT,
        };
        Failure { code, message: error.to_string() }
    }
}

/// A run folder by path, id, or unique prefix of an id.
fn find_run(run: &str, out: &Path) -> Result<PathBuf, Failure> {
    let direct = Path::new(run);
    if direct.join("journal").is_dir() {
        return Ok(direct.to_path_buf());
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(out)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    found.retain(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with(run) && !name.ends_with(".partial") && path.is_dir()
    });
    // An exact id wins over longer names that begin with it.
    if let Some(exact) = found.iter().find(|path| path.file_name().is_some_and(|name| name == run)) {
        found = vec![exact.clone()];
    }
    match found.as_slice() {
        [one] if one.join("journal").is_dir() => Ok(one.clone()),
        [one] => Err(Failure::input(format!(
            "{}: the run keeps no journal (it ran with --journal off); replay it with --journal full",
            one.display()
        ))),
        [] => Err(Failure::input(format!("no run '{run}' in {}; `onetape replay` makes one", out.display()))),
        several => Err(Failure::usage(format!(
            "'{run}' may mean {}; give more digits",
            several.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
        ))),
    }
}

/// Refuses a kind that no entry can have.
fn check_kind(kind: &str) -> Result<String, Failure> {
    let known: Vec<&str> = ["input", "derived", "start", "definition", "command"]
        .into_iter()
        .chain(onetape_engine::record::Kind::ALL.iter().map(|kind| kind.name()))
        .chain(onetape_engine::event::Event::NAMES)
        .collect();
    if known.contains(&kind) {
        return Ok(kind.to_string());
    }
    let near = onetape_session::settings::nearest(kind, known.iter().copied());
    let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
    Err(Failure::usage(format!("--kind: unknown '{kind}'{hint} Known: {}", known.join(", "))))
}

#[derive(Debug, Serialize)]
struct Verified {
    ok: bool,
    run: String,
    events: u64,
    blocks: u64,
    head: String,
    derived_hash: String,
    rederived: bool,
    derived_mismatches: u64,
    first_bad_seq: Option<u64>,
    message: String,
}

fn verify(run: &Path, rederive: bool, expect: Option<&str>, session: &Session<'_>) -> Result<u8, Failure> {
    let report = onetape_journal::verify(&run.join("journal"))?;
    let mut result = Verified {
        ok: report.ok,
        run: run.display().to_string(),
        events: report.events,
        blocks: report.blocks,
        head: report.head,
        derived_hash: report.derived_hash,
        rederived: false,
        derived_mismatches: 0,
        first_bad_seq: report.first_bad_seq,
        message: report.message,
    };
    if let Some(expected) = expect.filter(|expected| result.ok && !result.head.starts_with(*expected)) {
        result.ok = false;
        result.message = format!("the head is {}, expected was {expected}", result.head);
    }
    if rederive && report.ok {
        let reader = JournalReader::open(&run.join("journal"))?;
        let (rederived, names) = rederive_all(&reader, session)?;
        result.rederived = true;
        result.derived_mismatches = rederived.mismatches;
        if let Some(first) = &rederived.first {
            result.ok = false;
            result.first_bad_seq = Some(first.seq);
            let text = |event: &Option<onetape_engine::event::Derived>| match event {
                Some(event) => names.render(first.seq, &Entry::Derived(event)).to_string(),
                None => "nothing".to_string(),
            };
            result.message = format!(
                "{} of {} derived events differ; the first at seq {}\n  journal  {}\n  derived  {}",
                rederived.mismatches,
                rederived.derived,
                first.seq,
                text(&first.journaled),
                text(&first.derived)
            );
        } else if result.ok {
            result.message =
                format!("{}; {} derived events re-derived", result.message, count(rederived.derived));
        }
    }
    if session.json {
        report::json(&result)?;
    } else {
        report::line(&format!("{}  {}", if result.ok { "ok  " } else { "BAD " }, result.message));
        report::line(&format!("run {}   head {}", result.run, result.head));
    }
    Ok(if result.ok { 0 } else { CHECK })
}

fn rederive_all(reader: &JournalReader, session: &Session<'_>) -> Result<(Rederived, Names), Failure> {
    let mut blocks = reader.blocks();
    let mut block = Block::default();
    let mut names = Names::default();
    if !blocks.next_block(&mut block)? {
        return Ok((Rederived::default(), names));
    }
    let mut rederivation = Rederivation::begin(&block, session.registry, reader.path())?;
    loop {
        block.entries().for_each(|(_, entry)| names.learn(&entry));
        rederivation.block(&block)?;
        if !blocks.next_block(&mut block)? {
            return Ok((rederivation.result().clone(), names));
        }
    }
}

fn mend(run: &Path, session: &Session<'_>) -> Result<u8, Failure> {
    let repaired = repair(&run.join("journal"))?;
    if session.json {
        report::json(&repaired)?;
    } else if repaired.changed {
        report::line(&format!("repaired {}: {}", run.display(), repaired.problem));
        report::line(&format!(
            "kept     {} events in {} blocks, head {}",
            count(repaired.events),
            count(repaired.blocks),
            repaired.head
        ));
        if let Some(place) = &repaired.kept_at {
            report::line(&format!("as found {}", place.display()));
        }
    } else {
        report::line("sound and sealed: nothing was touched");
    }
    // Committed events that no block holds any more are a failed check, however well the rest was kept.
    Ok(if repaired.lost == 0 { 0 } else { CHECK })
}

fn compare(a: &Path, b: &Path, session: &Session<'_>) -> Result<u8, Failure> {
    // A journal has one owner at a time, and a run equals itself.
    let found = if a.canonicalize().ok() == b.canonicalize().ok() {
        Diff::default()
    } else {
        let open = |run: &Path| JournalReader::open(&run.join("journal"));
        diff(&open(a)?, &open(b)?)?
    };
    if session.json {
        print_diff_json(&found)?;
    } else {
        print_diff(&found);
    }
    Ok(if found.is_equal() { 0 } else { CHECK })
}

fn print_diff_json(found: &Diff) -> Result<(), Failure> {
    let entry = |entry: &Option<Rendered>| entry.as_ref().map(Rendered::json);
    let divergence = found.divergence.as_ref().map(
        |at| serde_json::json!({ "after_equal_entries": at.equal, "a": entry(&at.a), "b": entry(&at.b) }),
    );
    report::json(&serde_json::json!({
        "equal": found.is_equal(),
        "equal_entries": found.equal,
        "config": found.config,
        "first_divergence": divergence,
    }))
}

fn print_diff(found: &Diff) {
    if found.is_equal() {
        return report::line(&format!("equal: {} entries", count(found.equal)));
    }
    for change in &found.config {
        report::line(&format!("setting  {}: {} / {}", change.setting, change.a, change.b));
    }
    match &found.divergence {
        None => report::line(&format!("the settings differ, all {} entries are equal", count(found.equal))),
        Some(at) => {
            let text = |entry: &Option<Rendered>| {
                entry.as_ref().map_or("(the log ends)".to_string(), Rendered::to_string)
            };
            report::line(&format!("first divergence after {} equal entries", count(at.equal)));
            report::line(&format!("  a  {}", text(&at.a)));
            report::line(&format!("  b  {}", text(&at.b)));
        }
    }
}

fn show(run: &Path, filter: Filter, session: &Session<'_>) -> Result<u8, Failure> {
    let reader = JournalReader::open(&run.join("journal"))?;
    let wanted = filter.instrument.clone();
    let mut entries = reader.show(filter);
    let mut shown = 0u64;
    for entry in &mut entries {
        let entry = entry?;
        shown += 1;
        report::line(&if session.json { entry.json().to_string() } else { entry.to_string() });
    }
    if shown == 0 {
        let unknown = wanted.filter(|symbol| !entries.names().knows(symbol));
        match unknown {
            Some(symbol) => return Err(Failure::input(format!("no instrument '{symbol}' in this run"))),
            None => report::note(session.quiet, "no entry matches"),
        }
    }
    Ok(0)
}
