//! The acceptance suite: figures of a session beside the bands that real option markets keep.
//!
//! ```text
//!  records ──> Survey ──┬─ counts and moments       (survey, moments)
//!                       ├─ snapshots ──> arbitrage, parity, forwards   (chain)
//!                       └─ simple traders: random, stale, hedger       (traders)
//!  latent model ────────── stickiness of skew, premium selling         (motion)
//! ```
//!
//! Everything but [`motion_figures`] is measured from records alone, so it also judges a session read
//! from disk. Limits: the bands are for a plain session of a day or more; scenarios leave some of them
//! on purpose.
//!
//! # What a figure of two days can say
//! Moments and ratios of a few hundred returns scatter. Their standard errors come from a jackknife over
//! stretches of the session, and such a figure is out only when its band is more than two of them away.

mod chain;
mod moments;
mod motion;
mod survey;
mod traders;

use super::{GenerateError, GenerateRequest, ModelParameters, generate_into};
use crate::session::SessionReader;
use onetape_engine::block::Block;
use onetape_engine::input::Cold;
use onetape_engine::num::Nanos;

pub use motion::motion_figures;
pub use survey::Survey;

/// One figure and where it should lie.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Figure {
    /// What is measured.
    pub name: &'static str,
    /// What was found.
    pub value: f64,
    /// Smallest accepted value.
    pub low: f64,
    /// Largest accepted value.
    pub high: f64,
    /// Standard error of the value, where it is an estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
    /// Whether the value lies in the band, or within two standard errors of it; a figure that cannot be
    /// measured does not.
    pub ok: bool,
}

impl Figure {
    fn new(name: &'static str, value: f64, low: f64, high: f64) -> Figure {
        Figure { name, value, low, high, error: None, ok: value >= low && value <= high }
    }

    /// An estimate from a sample whose stretches can be left out one by one: `of(None)` is the figure of all,
    /// `of(Some(n))` that without stretch `n`.
    fn estimate(
        name: &'static str,
        (low, high): (f64, f64),
        stretches: usize,
        of: impl Fn(Option<usize>) -> f64,
    ) -> Figure {
        let value = of(None);
        let without: Vec<f64> = (0..stretches).map(|stretch| of(Some(stretch))).collect();
        let count = stretches as f64;
        let mean = without.iter().sum::<f64>() / count;
        let square: f64 = without.iter().map(|x| (x - mean) * (x - mean)).sum();
        let error = ((count - 1.0) / count * square).sqrt();
        let ok = value + 2.0 * error >= low && value - 2.0 * error <= high;
        Figure { name, value, low, high, error: Some(error), ok }
    }
}

/// Generates a request in memory and judges it, the law of motion included.
///
/// # Errors
/// As [`super::generate`].
pub fn check_request(request: &GenerateRequest) -> Result<Vec<Figure>, GenerateError> {
    let mut survey = Survey::new(request.parameters.rate);
    generate_into(request, &mut survey, &mut |_| {})?;
    let mut figures = survey.figures();
    figures.extend(motion_figures(request)?);
    Ok(figures)
}

/// Judges a session folder; of a session that this version of the generator made, the law of motion too.
///
/// # Errors
/// The session cannot be read.
pub fn check_session(reader: &mut SessionReader) -> Result<Vec<Figure>, GenerateError> {
    use super::Sink;
    let mut survey = Survey::new(ModelParameters::default().rate);
    let mut block = Block::default();
    while reader.next_block(&mut block)? {
        let mut cold = block.cold.iter();
        for record in &block.inputs {
            if record.kind == onetape_engine::record::Kind::Cold as u8 {
                if let Some(Cold::Definition(def)) = cold.next() {
                    survey.define(Nanos(record.ts), def)?;
                }
            } else {
                survey.record(record)?;
            }
        }
    }
    let mut figures = survey.figures();
    if let Some(request) = GenerateRequest::of_manifest(reader.manifest()) {
        figures.extend(motion_figures(&request)?);
    }
    Ok(figures)
}
