//! What of a machine will bite a run: its disk, clock, memory, settings, and the journal on it.
//!
//! Each check is a [`Finding`]; one that will bite is a [`Level::Problem`] with its remedy. Nothing is left
//! behind: the trials write to a folder of their own beside the runs and remove it.

use crate::bench::Machine;
use crate::settings::Settings;
use onetape_engine::block::Block;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Record};
use onetape_journal::{JournalWriter, verify};
use rustix::fs::{StatVfs, statfs, statvfs};
use serde::Serialize;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Will bite.
    Problem,
}

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How grave.
    pub level: Level,
    /// What was examined.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    fn good(what: &'static str, found: String) -> Finding {
        Finding { level: Level::Good, what, found, remedy: None }
    }

    fn note(what: &'static str, found: String, remedy: &str) -> Finding {
        Finding { level: Level::Note, what, found, remedy: Some(remedy.to_string()) }
    }

    fn problem(what: &'static str, found: String, remedy: &str) -> Finding {
        Finding { level: Level::Problem, what, found, remedy: Some(remedy.to_string()) }
    }
}

/// Examines this machine for runs under `out`; `variables` are the environment variables that the program reads.
pub fn examine(out: &Path, config: Option<&Path>, variables: &[String]) -> Vec<Finding> {
    let mut findings = vec![simd(), cores(), memory(), clock(), limits()];
    match Scratch::below(out) {
        Ok(scratch) => findings.extend([
            file_system(&scratch.0),
            space(&scratch.0),
            syncs(&scratch.0),
            journal(&scratch.0),
        ]),
        Err((path, error)) => findings.push(Finding::problem(
            "runs folder",
            format!("{}: cannot be written: {error}", path.display()),
            "give another folder with --out, or ask for the right to write there",
        )),
    }
    findings.push(temporary());
    findings.push(settings(config));
    findings.push(environment(variables));
    findings
}

/// A folder for trials, beside the runs or where they will be.
struct Scratch(PathBuf);

impl Scratch {
    fn below(out: &Path) -> Result<Scratch, (PathBuf, std::io::Error)> {
        // Looking must not create the runs folder: its nearest ancestor has the same file system.
        let there = out.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
        let path = there.join(format!(".onetape-doctor-{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| (there.to_path_buf(), error))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn simd() -> Finding {
    match Machine::here().simd.as_str() {
        "baseline" => Finding::note(
            "processor",
            "no AVX2: pricing and hashing run on baseline instructions".to_string(),
            "results are the same, rates are lower",
        ),
        simd => Finding::good("processor", format!("{simd} is used where it helps")),
    }
}

fn cores() -> Finding {
    let Machine { cores, load, .. } = Machine::here();
    let found = format!("{cores} cores, load {load:.1}");
    if cores < 2 {
        let remedy = "the loop and the journal thread share a core: expect half the rate";
        return Finding::note("cores", found, remedy);
    }
    if load > cores as f64 {
        return Finding::note("cores", found, "other processes are busy: rates and latencies will suffer");
    }
    Finding::good("cores", found)
}

fn memory() -> Finding {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|text| text.trim().split(' ').next()?.parse::<f64>().ok());
    let Some(gib) = kib.map(|kib| kib / f64::from(1 << 20)) else {
        return Finding::good("memory", "the system does not tell".to_string());
    };
    let found = format!("{gib:.1} GiB available");
    if gib < 0.6 {
        return Finding::problem("memory", found, "a run needs up to 512 MiB: close other programs");
    }
    Finding::good("memory", found)
}

/// The monotonic clock's resolution and cost, and whether the wall clock goes with it.
fn clock() -> Finding {
    const READS: u32 = 100_000;
    let (started, wall) = (Instant::now(), SystemTime::now());
    let mut last = started;
    let mut resolution = Duration::MAX;
    for _ in 0..READS {
        let now = Instant::now();
        let step = now.saturating_duration_since(last);
        if !step.is_zero() {
            resolution = resolution.min(step);
        }
        last = now;
    }
    let elapsed = started.elapsed();
    let cost = elapsed.as_nanos() / u128::from(READS);
    let found = format!("{cost} ns a reading, steps of {} ns", resolution.as_nanos());
    let is_year_sane = wall.duration_since(UNIX_EPOCH).is_ok_and(|since| since.as_secs() > 1_700_000_000);
    if !is_year_sane {
        let found = format!("{found}; the wall clock is years off");
        return Finding::problem("clock", found, "set the system's date: live records are stamped with it");
    }
    let walked = SystemTime::now().duration_since(wall);
    let drift = walked.map(|walked| walked.abs_diff(elapsed));
    match drift {
        Err(_) => Finding::problem(
            "clock",
            format!("{found}; the wall clock went backwards"),
            "let a time service slew the clock instead of stepping it",
        ),
        Ok(drift) if drift > Duration::from_millis(5) => Finding::note(
            "clock",
            format!("{found}; the wall clock jumped {} ms", drift.as_millis()),
            "let a time service slew the clock instead of stepping it",
        ),
        Ok(_) if cost > 500 => {
            Finding::note("clock", found, "slow readings: the kernel's clock source may be other than tsc")
        }
        Ok(_) => Finding::good("clock", found),
    }
}

fn limits() -> Finding {
    let text = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    match line.split_whitespace().nth(3).and_then(|soft| soft.parse::<u64>().ok()) {
        Some(files) if files < 256 => {
            Finding::problem("open files", format!("at most {files}"), "raise the limit: `ulimit -n 1024`")
        }
        Some(files) => Finding::good("open files", format!("at most {files}")),
        None => Finding::good("open files", "no limit known".to_string()),
    }
}

/// Names of file systems by their magic number (statfs(2)).
fn file_system(folder: &Path) -> Finding {
    let Ok(found) = statfs(folder) else {
        return Finding::note("file system", "unknown".to_string(), "look at it with `df -T`");
    };
    let magic = found.f_type as u64 & 0xffff_ffff;
    let (name, remedy) = match magic {
        0xef53 => ("ext2/3/4", None),
        0x5846_5342 => ("xfs", None),
        0x9123_683e => ("btrfs", None),
        0x2fc1_2fc1 => ("zfs", None),
        0x0102_1994 => ("tmpfs", Some("runs here are gone after a restart: use a disk")),
        0x6969 | 0xff53_4d42 | 0xfe53_4d42 => {
            ("a network file system", Some("syncs over a network may lie: keep journals on a local disk"))
        }
        0x794c_7630 => ("overlayfs", Some("a container's own layer: mount a volume for runs")),
        0x6573_5546 => ("fuse", Some("whether its syncs hold depends on the program behind it")),
        _ => ("another file system", Some("make sure that its fsync reaches the medium")),
    };
    let found = format!("{name} (0x{magic:x})");
    remedy.map_or_else(
        || Finding::good("file system", found.clone()),
        |r| Finding::note("file system", found.clone(), r),
    )
}

fn space(folder: &Path) -> Finding {
    let Ok(StatVfs { f_bavail, f_frsize, .. }) = statvfs(folder) else {
        return Finding::note("space", "unknown".to_string(), "look at it with `df`");
    };
    let gib = f_bavail as f64 * f_frsize as f64 / f64::from(1 << 30);
    // A day of a busy option class is some 300 M records; a journal stores about 40 bytes of each.
    let found = format!(
        "{gib:.1} GiB free: about {:.0} M journaled records",
        gib * 1024.0 * 1024.0 * 1024.0 / 40.0 / 1e6
    );
    match gib {
        gib if gib < 1.0 => {
            Finding::problem("space", found, "free some, or point --out elsewhere: a full disk stops a run")
        }
        gib if gib < 10.0 => Finding::note("space", found, "a long run may fill the disk, and then stops"),
        _ => Finding::good("space", found),
    }
}

fn syncs(folder: &Path) -> Finding {
    const SYNCS: usize = 100;
    let measured = || -> std::io::Result<Vec<Duration>> {
        let mut file = File::create(folder.join("syncs"))?;
        let page = [0x5a; 4_096];
        (0..SYNCS)
            .map(|_| {
                file.write_all(&page)?;
                let started = Instant::now();
                file.sync_data()?;
                Ok(started.elapsed())
            })
            .collect()
    };
    let mut times = match measured() {
        Ok(times) => times,
        Err(error) => {
            let remedy = "a journal cannot be kept here: point --out elsewhere";
            return Finding::problem("sync", format!("a sync failed: {error}"), remedy);
        }
    };
    times.sort();
    let (p50, p99) = (times[SYNCS / 2], times[SYNCS * 99 / 100]);
    let found = format!("4 KiB and fdatasync: p50 {} µs, p99 {} µs", p50.as_micros(), p99.as_micros());
    if p50 < Duration::from_micros(15) {
        return Finding::note("sync", found, "faster than a medium can be: a power cut may lose synced data");
    }
    if p99 > Duration::from_millis(50) {
        let remedy = "with --durability order every order waits for a sync: a disk of its own helps";
        return Finding::note("sync", found, remedy);
    }
    Finding::good("sync", found)
}

/// Writes, closes, seals and verifies a small journal, then finds a flipped bit in it.
fn journal(folder: &Path) -> Finding {
    let dir = folder.join("journal");
    let trial = || -> Result<(bool, bool, u64), onetape_journal::JournalError> {
        let mut writer = JournalWriter::create(&dir, [1; 32])?;
        for n in 0..8u64 {
            let tick = |i| Record::new(Head::at(Nanos(n * 4_096 + i), InstrumentIx::NONE), Body::Tick);
            let inputs = (0..4_096).map(tick).collect();
            writer.append(&Block { first_seq: n * 4_096, inputs, ..Block::default() })?;
            writer.commit()?;
        }
        writer.finish()?;
        let sound = verify(&dir)?;
        let database = dir.join("db").join("db");
        let flipped = fs::read(&database).and_then(|mut bytes| {
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            fs::write(&database, bytes)
        });
        let named = flipped.is_ok() && verify(&dir).is_ok_and(|report| !report.ok);
        Ok((sound.ok && sound.sealed, named, sound.events))
    };
    match trial() {
        Ok((true, true, events)) => {
            let found = format!("{events} events written, sealed, verified; a flipped bit was named");
            Finding::good("journal", found)
        }
        Ok((sound, named, _)) => Finding::problem(
            "journal",
            format!("verifies: {sound}; names a flipped bit: {named}"),
            "the disk or its driver returns other bytes than were written: do not keep runs here",
        ),
        Err(error) => {
            Finding::problem("journal", error.to_string(), "a run would fail alike: see the message")
        }
    }
}

/// Journals that are not sealed are read from a copy in the temporary folder.
fn temporary() -> Finding {
    let folder = std::env::temp_dir();
    match statvfs(&folder) {
        Ok(found) if (found.f_bavail as f64 * found.f_frsize as f64) < f64::from(1 << 30) => Finding::note(
            "temporary",
            format!("{}: less than 1 GiB free", folder.display()),
            "open journals are verified from a copy there: set TMPDIR to a larger folder",
        ),
        Ok(_) => Finding::good("temporary", format!("{}: enough space", folder.display())),
        Err(error) => Finding::problem(
            "temporary",
            format!("{}: {error}", folder.display()),
            "set TMPDIR to a folder that exists",
        ),
    }
}

fn settings(config: Option<&Path>) -> Finding {
    let Some(path) = config else {
        return Finding::good(
            "settings",
            "no file given: defaults, environment and flags decide".to_string(),
        );
    };
    match Settings::read(path) {
        Ok(_) => Finding::good("settings", format!("{}: every key is known", path.display())),
        Err(error) => {
            Finding::problem("settings", error.to_string(), "correct the file; a run would refuse it")
        }
    }
}

/// Settings that come from the environment, and names there that nothing reads.
fn environment(known: &[String]) -> Finding {
    let seen = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    let mut seen: Vec<String> = seen.filter(|name| name.starts_with("ONETAPE_")).collect();
    seen.sort();
    let stray: Vec<&String> = seen.iter().filter(|name| !known.contains(name)).collect();
    if !stray.is_empty() {
        let near = |name: &str| crate::settings::nearest(name, known.iter().map(String::as_str));
        let hints: Vec<String> = stray
            .iter()
            .map(|name| match near(name) {
                Some(near) => format!("{name}: did you mean {near}?"),
                None => format!("{name}: no setting has a name like it"),
            })
            .collect();
        let names: Vec<&str> = stray.iter().map(|name| name.as_str()).collect();
        let found = format!("set, and nothing reads it: {}", names.join(", "));
        return Finding::note("environment", found, &hints.join("; "));
    }
    if seen.is_empty() {
        return Finding::good("environment", "no ONETAPE_… variable is set".to_string());
    }
    Finding::good("environment", format!("set: {}", seen.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_folder_has_no_problem_and_keeps_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let findings = examine(&dir.path().join("runs"), None, &[]);
        let journal = findings.iter().find(|finding| finding.what == "journal").unwrap();
        assert_eq!(journal.level, Level::Good, "{}", journal.found);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn a_wrong_configuration_file_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("onetape.toml");
        fs::write(&path, "[run]\ncahs = 1\n").unwrap();
        let finding = settings(Some(&path));
        assert_eq!(finding.level, Level::Problem);
        assert!(finding.found.contains("cahs") && finding.remedy.is_some(), "{finding:?}");
    }

    #[test]
    fn a_folder_that_cannot_be_is_a_problem() {
        let findings = examine(Path::new("/proc/self/runs"), None, &[]);
        assert!(
            findings.iter().any(|finding| finding.what == "runs folder" && finding.level == Level::Problem)
        );
    }
}
