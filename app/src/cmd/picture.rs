//! Writes pictures to files.

use crate::Session;
use crate::failure::Failure;
use crate::report;
use onetape_analytics::picture::{Chart, page};
use std::path::{Path, PathBuf};

/// Writes a chart as SVG, as a page, or both.
pub(crate) fn write(
    chart: &Chart,
    svg: Option<&Path>,
    html: Option<&Path>,
    session: &Session<'_>,
) -> Result<(), Failure> {
    let picture = chart.svg();
    if let Some(path) = svg {
        file(path, &picture, session)?;
    }
    if let Some(path) = html {
        file(path, &page(&chart.title, &picture), session)?;
    }
    Ok(())
}

/// Writes beside the file and renames, so that nothing half written bears its name.
pub(crate) fn file(path: &Path, text: &str, session: &Session<'_>) -> Result<(), Failure> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let failed = |error: std::io::Error| Failure::io(path, &error);
    std::fs::write(&partial, text).map_err(failed)?;
    std::fs::rename(&partial, path).map_err(failed)?;
    report::note(session.quiet, &format!("wrote {}", path.display()));
    Ok(())
}
