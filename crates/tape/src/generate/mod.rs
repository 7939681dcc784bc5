//! A fictional market from a seed: the fund `ONE` and its option chain, quote by quote.
//!
//! ```text
//!  seed ──> history (300 days) ──> latent path: spot, forward variance ──> surface (SSVI)
//!                                        │                                    │
//!                                  fund: NBBO, prints               desk: chain quotes, prints
//!                                        └───────────── outbox (time order) ──┴──> Sink / SessionWriter
//! ```
//!
//! The same request gives the same session on every machine and with any thread count: everything
//! runs in one thread, random numbers come from ChaCha8 streams (one per purpose) and transcendental
//! functions from `libm`. The price path depends on the seed alone, not on the number of inputs.
//!
//! What is modelled: stochastic variance with leverage and rare jumps ([`ModelParameters`]), one
//! arbitrage-free surface on the forward, a variance clock, early exercise of puts, a variance premium,
//! quotes that follow fair value within their spread, bursts after moves of the fund, prints with
//! conditions, open interest, opening and closing crosses, a non-firm spell, locked and crossed moments.
//!
//! Limits: no dividends; one consolidated market instead of exchanges; no trading outside regular
//! hours; fair value ignores discrete assignment and financing spreads.
//!
//! Units: prices in currency, volatilities per 1.00 and √year (ACT/365F), times in UTC nanoseconds.

pub mod acceptance;
mod chain;
mod clock;
mod days;
mod desk;
mod faults;
mod fund;
mod live;
mod model;
mod outlook;
mod pace;
mod path;
mod prints;
mod random;
mod scenario;
mod sink;
mod surface;

pub use chain::SYMBOL;
pub use clock::TradingDay;
pub use model::ModelParameters;
pub use outlook::{DayRange, Outlook, outlook};
pub use scenario::Scenario;
pub use sink::Sink;

use crate::session::{Finished, Manifest, SessionError, SessionMeta, SessionWriter};
use days::Days;
use live::Live;
use path::Path as LatentPath;
use std::path::Path;

/// Name under which a manifest names the generator as what made a session.
pub const GENERATOR: &str = "generate";
/// Version of the generator: a change of its output changes this.
pub const GENERATOR_VERSION: &str = "3";
/// First trade date unless the request says otherwise: a Thursday before a monthly expiry.
pub const FIRST_DATE: u32 = 20_250_515;
/// Inputs a day unless the request says otherwise.
pub const INPUTS_PER_DAY: u64 = 220_000;
/// Seed of the session shipped with the program.
pub const DEMO_SEED: u64 = 385;

/// A session that cannot be generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The dates reach beyond the exchange calendar.
    #[error(
        "{date} is not a date for which the exchange calendar knows the year before and the days generated after"
    )]
    Date {
        /// The first date asked for, yyyymmdd.
        date: u32,
    },
    /// A request outside its bounds.
    #[error("{name} must be {expected}, found {found}")]
    Request {
        /// Field of the request.
        name: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was asked for.
        found: u64,
    },
    /// A volatility that no market has.
    #[error("the long-run volatility must be 0.02 to 2 (per 1.00, a year), found {found}")]
    Volatility {
        /// What was asked for.
        found: f64,
    },
    /// The session cannot be written.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// What to generate.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    /// Seed; every seed is another market.
    pub seed: u64,
    /// Trading days, 1 to 2,600.
    pub days: u32,
    /// Number of inputs aimed at; the result is within a few per cent, more when the price changes
    /// alone need more. `None` for [`INPUTS_PER_DAY`] a day.
    pub events: Option<u64>,
    /// First trade date as yyyymmdd; a day without a session moves to the next.
    pub first_date: u32,
    /// What happens on the last days.
    pub scenario: Scenario,
    /// The law of motion.
    pub parameters: ModelParameters,
}

impl GenerateRequest {
    /// The default session of a seed: two days, a Thursday and an expiry Friday.
    pub fn new(seed: u64) -> GenerateRequest {
        GenerateRequest {
            seed,
            days: 2,
            events: None,
            first_date: FIRST_DATE,
            scenario: Scenario::Plain,
            parameters: ModelParameters::default(),
        }
    }

    /// What a manifest states as the source of a generated session.
    fn source(&self) -> String {
        format!(
            "seed {}, {} days from {}, scenario {}, volatility {}",
            self.seed,
            self.days,
            self.first_date,
            self.scenario.name(),
            self.parameters.base_vol
        )
    }

    /// The request that a session of this version of the generator was made by (its number of inputs apart);
    /// `None` of any other session.
    pub fn of_manifest(manifest: &Manifest) -> Option<GenerateRequest> {
        let importer = &manifest.importer;
        if importer.name != GENERATOR || importer.version != GENERATOR_VERSION {
            return None;
        }
        let mut parts = importer.source.split(", ");
        let seed = parts.next()?.strip_prefix("seed ")?.parse().ok()?;
        let (days, first_date) = parts.next()?.split_once(" days from ")?;
        let scenario = Scenario::from_name(parts.next()?.strip_prefix("scenario ")?)?;
        let base_vol = parts.next()?.strip_prefix("volatility ")?.parse().ok()?;
        Some(GenerateRequest {
            days: days.parse().ok()?,
            first_date: first_date.parse().ok()?,
            scenario,
            parameters: ModelParameters { base_vol, ..ModelParameters::default() },
            ..GenerateRequest::new(seed)
        })
    }

    fn check(&self) -> Result<(), GenerateError> {
        if self.days == 0 || self.days > 2_600 {
            let found = u64::from(self.days);
            return Err(GenerateError::Request { name: "days", expected: "1 to 2600", found });
        }
        if self.events == Some(0) {
            return Err(GenerateError::Request { name: "events", expected: "1 or more", found: 0 });
        }
        let found = self.parameters.base_vol;
        if !(0.02..=2.0).contains(&found) {
            return Err(GenerateError::Volatility { found });
        }
        Ok(())
    }
}

/// Calls back with the number of inputs written, now and then.
pub(crate) struct Progress<'a> {
    callback: &'a mut dyn FnMut(u64),
    next: u64,
}

impl Progress<'_> {
    fn report(&mut self, sent: u64) {
        if sent >= self.next {
            self.next = sent + 65_536;
            (self.callback)(sent);
        }
    }
}

/// Generates into a session folder; `progress` hears the number of inputs written so far.
///
/// # Errors
/// The request is out of bounds, the calendar does not reach, or the folder cannot be written.
pub fn generate(
    request: &GenerateRequest,
    out: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Finished, GenerateError> {
    request.check()?;
    let name = format!("{SYMBOL} generated, seed {}", request.seed);
    let mut meta = SessionMeta::new(&name, GENERATOR, GENERATOR_VERSION);
    meta.importer.source = request.source();
    meta.importer.policies = vec![
        "Fictional market: no price in it was ever quoted".to_string(),
        format!("Rate {} continuously compounded, no dividends", request.parameters.rate),
        "Puts carry the Barone-Adesi and Whaley early-exercise premium".to_string(),
        "Receipt time is exchange time plus 350 microseconds".to_string(),
    ];
    let mut writer = SessionWriter::create(out, meta)?;
    let history = generate_into(request, &mut writer, progress)?;
    writer.add_data_file("history.csv", history.as_bytes())?;
    Ok(writer.finish()?)
}

/// Generates into any receiver and returns the text of `history.csv`.
///
/// # Errors
/// As [`generate`].
pub fn generate_into(
    request: &GenerateRequest,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<String, GenerateError> {
    request.check()?;
    let days = Days::new(request.first_date, request.days as usize)?;
    let latent = LatentPath::new(request.seed, &days, request.parameters, request.scenario);
    let history = path::history_csv(&latent.history);
    let total = request.events.unwrap_or(INPUTS_PER_DAY * u64::from(request.days));
    let mut live = Live::new(request.seed, latent, request.scenario, total / u64::from(request.days));
    let mut progress = Progress { callback: progress, next: 0 };
    for day in 0..days.live {
        live.day(day, sink, &mut progress)?;
    }
    (progress.callback)(live.outbox.sent);
    Ok(history)
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_engine::instrument::InstrumentDef;
    use onetape_engine::num::Nanos;
    use onetape_engine::record::{Body, Record};
    use zerocopy::IntoBytes;

    /// Hashes what it receives and checks what every session promises.
    #[derive(Default)]
    struct Digest {
        hasher: blake3::Hasher,
        defs: Vec<InstrumentDef>,
        last_ts: u64,
        quotes: u64,
    }

    impl Sink for Digest {
        fn define(&mut self, ts: Nanos, def: &InstrumentDef) -> Result<(), GenerateError> {
            self.hasher.update(def.symbol.as_bytes());
            self.hasher.update(&ts.0.to_le_bytes());
            self.defs.push(def.clone());
            Ok(())
        }

        fn record(&mut self, record: &Record) -> Result<(), GenerateError> {
            self.hasher.update(record.as_bytes());
            assert!(record.ts >= self.last_ts, "receipt order");
            assert!(record.ts_src <= record.ts);
            self.last_ts = record.ts;
            if let Some(Body::Quote(quote)) = record.body() {
                let def = &self.defs[record.instrument().index()];
                assert!(def.tick.is_legal(quote.bid()) && def.tick.is_legal(quote.ask()), "{quote:?}");
                assert!(quote.ask > 0 && quote.ask_size > 0);
                assert_eq!(quote.bid == 0, quote.bid_size == 0);
                self.quotes += 1;
            }
            Ok(())
        }
    }

    #[test]
    fn a_seed_gives_the_same_records() {
        let run = |seed| {
            let mut digest = Digest::default();
            let request = GenerateRequest { days: 1, events: Some(1), ..GenerateRequest::new(seed) };
            let history = generate_into(&request, &mut digest, &mut |_| {}).expect("a valid request");
            assert_eq!(history.lines().count(), 301);
            assert!((400..1_000).contains(&digest.defs.len()), "{}", digest.defs.len());
            assert!(digest.quotes > 50_000);
            digest.hasher.finalize()
        };
        let first = run(3);
        assert_eq!(first, run(3));
        assert_ne!(first, run(4));
    }

    #[test]
    fn requests_out_of_bounds_are_refused() {
        let mut sink = Digest::default();
        for request in [
            GenerateRequest { days: 0, ..GenerateRequest::new(1) },
            GenerateRequest { events: Some(0), ..GenerateRequest::new(1) },
            GenerateRequest { first_date: 99, ..GenerateRequest::new(1) },
            GenerateRequest {
                parameters: ModelParameters { base_vol: f64::NAN, ..ModelParameters::default() },
                ..GenerateRequest::new(1)
            },
        ] {
            assert!(generate_into(&request, &mut sink, &mut |_| {}).is_err());
        }
    }
}
