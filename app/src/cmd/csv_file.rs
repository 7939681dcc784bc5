//! Whole CSV files through a formula: what `price --csv` and `vol iv --csv` share.

use crate::Session;
use crate::failure::{CHECK, Failure, IO};
use crate::report::{self, ProgressLine, count};
use clap::{Args, ValueEnum};
use onetape_analytics::batch::{self, BatchError, Compared, Formulas, Output, Report, Source, Tolerances};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// CSV file with a header row; `-` reads stdin.
    #[arg(long, value_name = "IN.csv")]
    pub(crate) csv: Option<PathBuf>,
    /// CSV file to write; `-` writes stdout.
    #[arg(long, value_name = "OUT.csv", default_value = "-", requires = "csv")]
    pub(crate) out: PathBuf,
    /// A column that the file does not have, with its value for every row; without a file, an input of
    /// the model that has no flag of its own (v0=0.04). Repeatable.
    #[arg(long = "set", value_name = "COLUMN=VALUE")]
    pub(crate) constants: Vec<String>,
    /// Units of the results in a file: raw (per 1.00 and year) or trader (vega per point, theta per day).
    #[arg(long, value_enum, default_value = "raw", requires = "csv")]
    pub(crate) units: Units,
    /// Compare the results with the file's columns of the same name: |file - model| over max(1, |file|)
    /// up to TOLERANCE; for one column COLUMN=TOLERANCE. Exit code 1 if a figure lies outside. Repeatable.
    #[arg(long, value_name = "TOLERANCE", requires = "csv")]
    pub(crate) check: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Units {
    Raw,
    Trader,
}

impl FileArgs {
    fn output(&self) -> Result<Output, Failure> {
        let mut wanted = Tolerances::default();
        for text in &self.check {
            let (column, number) = text.split_once('=').map_or((None, text.as_str()), |(c, n)| (Some(c), n));
            let tolerance: f64 =
                number.trim().parse().ok().filter(|t| (0.0..f64::INFINITY).contains(t)).ok_or_else(|| {
                    Failure::usage(format!("--check: '{text}' is not a tolerance such as 1e-9 or delta=0.01"))
                })?;
            match column {
                None => wanted.all = Some(tolerance),
                Some(column) => wanted.named.push((column.trim().to_string(), tolerance)),
            }
        }
        let compare = (!self.check.is_empty()).then_some(wanted);
        Ok(Output { in_trader_units: self.units == Units::Trader, compare })
    }
}

fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// Computes the file and says on stderr how many rows failed.
pub(crate) fn run(args: &FileArgs, formulas: &Formulas, session: &Session<'_>) -> Result<u8, Failure> {
    let input = args.csv.as_deref().unwrap_or(Path::new("-"));
    if session.json && is_standard(&args.out) {
        return Err(Failure::usage("--json prints a summary of the file: name the file with --out OUT.csv"));
    }
    let constants = constants(&args.constants)?;
    let job = Job { input, constants: &constants, formulas, output: args.output()? };
    let report = if is_standard(&args.out) {
        compute(&job, std::io::stdout().lock(), session)?
    } else {
        to_file(&job, &args.out, session)?
    };
    if let Some((line, error)) = &report.first_error {
        let note = format!(
            "{} of {} rows have an error, see the last column; the first, line {line}: {error}",
            count(report.errors),
            count(report.rows)
        );
        report::note(session.quiet, &note);
    } else {
        report::note(session.quiet, &format!("{} rows, no error", count(report.rows)));
    }
    for one in &report.compared {
        report::note(session.quiet, &compared(one));
    }
    if session.json {
        let first = report.first_error.as_ref();
        report::json(&serde_json::json!({
            "out": args.out.display().to_string(),
            "rows": report.rows,
            "errors": report.errors,
            "first_error": first.map(|(line, error)| serde_json::json!({ "line": line, "error": error })),
            "compared": report.compared.iter().map(compared_json).collect::<Vec<_>>(),
        }))?;
    }
    Ok(if report.compared.iter().all(|one| one.outside == 0) { 0 } else { CHECK })
}

fn compared(one: &Compared) -> String {
    format!(
        "{:<12} {:>8} compared, {:>6} outside {:e}; worst {:.3e} (line {})",
        one.column,
        count(one.rows),
        count(one.outside),
        one.tolerance,
        one.worst,
        one.worst_line
    )
}

fn compared_json(one: &Compared) -> serde_json::Value {
    serde_json::json!({
        "column": one.column,
        "tolerance": one.tolerance,
        "rows": one.rows,
        "outside": one.outside,
        "worst": one.worst.is_finite().then_some(one.worst),
        "worst_line": one.worst_line,
    })
}

/// What is to be computed.
struct Job<'a> {
    input: &'a Path,
    constants: &'a [(String, String)],
    formulas: &'a Formulas,
    output: Output,
}

/// `COLUMN=VALUE` of each `--set`.
pub(crate) fn constants(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let split = |text: &String| {
        let (column, value) = text
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--set: '{text}' is not COLUMN=VALUE such as r=0.05")))?;
        Ok((column.trim().to_string(), value.trim().to_string()))
    };
    given.iter().map(split).collect()
}

/// Writes beside `out` and renames at the end, so that no half result bears its name.
fn to_file(job: &Job<'_>, out: &Path, session: &Session<'_>) -> Result<Report, Failure> {
    if let (Ok(a), Ok(b)) = (job.input.canonicalize(), out.canonicalize())
        && a == b
    {
        let path = out.display();
        return Err(Failure::usage(format!("--out {path} is the input file; name another one")));
    }
    let mut partial = out.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let file = File::create(&partial).map_err(|error| Failure::io(&partial, &error))?;
    let done = compute(job, &file, session).and_then(|report| {
        file.sync_all().map_err(|error| Failure::io(&partial, &error))?;
        std::fs::rename(&partial, out).map_err(|error| Failure::io(out, &error))?;
        Ok(report)
    });
    if done.is_err() {
        std::fs::remove_file(&partial).ok();
    }
    done
}

fn compute<W: Write>(job: &Job<'_>, sink: W, session: &Session<'_>) -> Result<Report, Failure> {
    let Job { input, constants, formulas, output } = job;
    let name = if is_standard(input) { "stdin".to_string() } else { input.display().to_string() };
    let done = if is_standard(input) {
        batch::run(Source { name: &name, reader: std::io::stdin().lock(), constants }, formulas, output, sink)
    } else {
        let file = File::open(input).map_err(|error| Failure::io(input, &error))?;
        let total = file.metadata().map_err(|error| Failure::io(input, &error))?.len();
        let reader = Watched { file, done: 0, total, line: ProgressLine::new(session.quiet) };
        batch::run(Source { name: &name, reader, constants }, formulas, output, sink)
    };
    done.map_err(failure)
}

/// A file that shows how far it has been read.
struct Watched {
    file: File,
    done: u64,
    total: u64,
    line: ProgressLine,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.done += read as u64;
        if read == 0 {
            self.line.done();
        } else {
            self.line.update("bytes read", self.done, self.total);
        }
        Ok(read)
    }
}

/// How a file as a whole fails.
pub(crate) fn failure(error: BatchError) -> Failure {
    let message = error.to_string();
    match error {
        BatchError::Write(source) if source.kind() == std::io::ErrorKind::BrokenPipe => {
            // The reader has seen enough.
            std::process::exit(0)
        }
        BatchError::Write(_) => Failure { code: IO, message },
        BatchError::Read { source, .. } if source.is_io_error() => Failure { code: IO, message },
        BatchError::Scheme { .. }
        | BatchError::Constant { .. }
        | BatchError::NoSlices
        | BatchError::NotCompared { .. } => Failure::usage(message),
        _ => Failure::input(message),
    }
}
