//! Whole CSV files through a formula: what `price --csv` and `vol iv --csv` share.

use crate::Session;
use crate::failure::{Failure, IO};
use crate::report::{self, ProgressLine, count};
use clap::Args;
use onetape_analytics::batch::{self, BatchError, Formulas, Report, Source};
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
    /// A column that the file does not have, with its value for every row; repeatable.
    #[arg(long = "set", value_name = "COLUMN=VALUE", requires = "csv")]
    pub(crate) constants: Vec<String>,
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
    let report = if is_standard(&args.out) {
        compute(input, &constants, formulas, std::io::stdout().lock(), session)?
    } else {
        to_file(input, &args.out, &constants, formulas, session)?
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
    if session.json {
        let first = report.first_error.as_ref();
        report::json(&serde_json::json!({
            "out": args.out.display().to_string(),
            "rows": report.rows,
            "errors": report.errors,
            "first_error": first.map(|(line, error)| serde_json::json!({ "line": line, "error": error })),
        }))?;
    }
    Ok(0)
}

fn constants(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let split = |text: &String| {
        let (column, value) = text
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--set: '{text}' is not COLUMN=VALUE such as r=0.05")))?;
        Ok((column.trim().to_string(), value.trim().to_string()))
    };
    given.iter().map(split).collect()
}

/// Writes beside `out` and renames at the end, so that no half result bears its name.
fn to_file(
    input: &Path,
    out: &Path,
    constants: &[(String, String)],
    formulas: &Formulas,
    session: &Session<'_>,
) -> Result<Report, Failure> {
    if let (Ok(a), Ok(b)) = (input.canonicalize(), out.canonicalize())
        && a == b
    {
        let path = out.display();
        return Err(Failure::usage(format!("--out {path} is the input file; name another one")));
    }
    let mut partial = out.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let file = File::create(&partial).map_err(|error| Failure::io(&partial, &error))?;
    let done = compute(input, constants, formulas, &file, session).and_then(|report| {
        file.sync_all().map_err(|error| Failure::io(&partial, &error))?;
        std::fs::rename(&partial, out).map_err(|error| Failure::io(out, &error))?;
        Ok(report)
    });
    if done.is_err() {
        std::fs::remove_file(&partial).ok();
    }
    done
}

fn compute<W: Write>(
    input: &Path,
    constants: &[(String, String)],
    formulas: &Formulas,
    sink: W,
    session: &Session<'_>,
) -> Result<Report, Failure> {
    let name = if is_standard(input) { "stdin".to_string() } else { input.display().to_string() };
    let done = if is_standard(input) {
        batch::run(Source { name: &name, reader: std::io::stdin().lock(), constants }, formulas, sink)
    } else {
        let file = File::open(input).map_err(|error| Failure::io(input, &error))?;
        let total = file.metadata().map_err(|error| Failure::io(input, &error))?.len();
        let reader = Watched { file, done: 0, total, line: ProgressLine::new(session.quiet) };
        batch::run(Source { name: &name, reader, constants }, formulas, sink)
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
        BatchError::Scheme { .. } | BatchError::Constant { .. } => Failure::usage(message),
        _ => Failure::input(message),
    }
}
