//! `onetape bench compare`.

use super::figure;
use crate::Session;
use crate::failure::{CHECK, Failure};
use crate::report;
use clap::Args;
use onetape_session::bench::{Report, Verdict, compare};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  onetape bench throughput --repeat 5 --json > before.json\n  onetape bench throughput --repeat 5 --json > after.json\n  onetape bench compare before.json after.json --tolerance 0.05\n\nExits 1 when a figure got worse by more than the tolerance and by more than chance\n(95 % interval of Welch's t test on the logarithms of the samples)."
)]
pub(crate) struct CompareArgs {
    /// Report of `onetape bench … --json`.
    before: PathBuf,
    /// The later one.
    after: PathBuf,
    /// Fraction by which a figure may worsen (0.05 = 5 %).
    #[arg(long, default_value_t = 0.05, value_parser = tolerance)]
    tolerance: f64,
}

fn tolerance(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "a fraction such as 0.05 expected".to_string())?;
    if (0.0..10.0).contains(&value) { Ok(value) } else { Err("a fraction from 0 to 10 expected".to_string()) }
}

fn load(path: &Path) -> Result<Report, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| Failure::io(path, &e))?;
    serde_json::from_str(&text).map_err(|e| {
        let wanted = "expected is the output of `onetape bench throughput --json` or `latency --json`";
        Failure::input(format!("{}: not a bench report: {e}; {wanted}", path.display()))
    })
}

pub(crate) fn run(args: &CompareArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let (before, after) = (load(&args.before)?, load(&args.after)?);
    if before.kind != after.kind {
        let (a, b) = (&before.kind, &after.kind);
        return Err(Failure::input(format!("a {a} report and a {b} report cannot be compared")));
    }
    if !before.machine.is_like(&after.machine) {
        let text = format!("different machines: {} and {}", before.machine, after.machine);
        report::note(session.quiet, &text);
    }
    let compared = compare(&before, &after, args.tolerance);
    let regressed = compared.iter().any(|row| row.verdict == Verdict::Regressed);
    if session.json {
        report::json(&compared)?;
    } else {
        report::line(&format!(
            "{:<50} {:>8} {:>8} {:>7}  {:<15} verdict",
            "figure", "before", "after", "ratio", "95 % interval"
        ));
        for row in &compared {
            let interval =
                row.interval.map_or("one sample".to_string(), |(low, high)| format!("{low:.3}…{high:.3}"));
            let verdict = match row.verdict {
                Verdict::Regressed => "WORSE",
                Verdict::Improved => "better",
                Verdict::Same => "same",
                Verdict::Unknown => "?",
            };
            let (was, is) = (figure(row.before), figure(row.after));
            report::line(&format!(
                "{:<50} {was:>8} {is:>8} {:>7.3}  {interval:<15} {verdict}",
                row.what, row.ratio
            ));
        }
    }
    Ok(if regressed { CHECK } else { 0 })
}
