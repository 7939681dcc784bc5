//! The whole chain of an underlying re-marked on each of its ticks, within the loop.
//!
//! A strategy that owns a [`LiveChain`] and trades nothing: it shows what live Greeks are worth by comparing
//! the marks that follow the underlying's ticks with the quotes that come after them.

use super::snapshot::{SnapshotError, run_to};
use onetape_engine::Kernel;
use onetape_engine::config::{RunConfig, StrategyConfig};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::live_chain::LiveChain;
use onetape_engine::num::Nanos;
use onetape_engine::strategy::{Ctx, Flow, StateError, Strategy};
use onetape_tape::session::SessionReader;

/// What to follow.
#[derive(Debug, Clone, PartialEq)]
pub struct Follow {
    /// The underlying's symbol.
    pub symbol: String,
    /// First report.
    pub from: Nanos,
    /// Last report.
    pub to: Nanos,
    /// Time between reports.
    pub every_ns: u64,
    /// Interest rate per year.
    pub rate: f64,
    /// Dividend yield per year.
    pub dividend_yield: f64,
}

/// The chain at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct FollowRow {
    /// Event time.
    pub at: Nanos,
    /// Price of the underlying.
    pub spot: f64,
    /// Series listed and not settled.
    pub series: usize,
    /// Series with a volatility.
    pub marked: usize,
    /// Ticks of the underlying since the last row; each re-marked every series.
    pub ticks: u64,
    /// Quotes of series since the last row; each implied one volatility anew.
    pub quotes: u64,
    /// Series quoted on both sides, at this time.
    pub quoted: usize,
    /// Of those, the ones whose mark lies between bid and ask.
    pub inside: usize,
    /// Sum of delta over the series, per $1.
    pub delta: f64,
    /// Sum of gamma.
    pub gamma: f64,
    /// Sum of vega per volatility point.
    pub vega_per_point: f64,
    /// Sum of theta per day.
    pub theta_per_day: f64,
}

/// Runs the session through the loop and reports the live chain at each interval.
///
/// # Errors
/// [`SnapshotError`] when the session cannot be read or does not reach back to the first report.
pub fn follow(reader: &mut SessionReader, wanted: &Follow) -> Result<Vec<FollowRow>, SnapshotError> {
    let manifest = reader.manifest();
    let (name, first) = (manifest.name.clone(), manifest.first_ts);
    let strategy = StrategyConfig { name: "follower".into(), version: "1".into(), params: Vec::new() };
    let config = RunConfig {
        strategies: vec![strategy],
        mark_interval_ns: 0,
        rate: wanted.rate,
        ..RunConfig::default()
    };
    let follower = Follower {
        wanted: wanted.clone(),
        underlying: None,
        live: None,
        ticks: 0,
        quotes: 0,
        rows: Vec::new(),
    };
    let kernel: Kernel<Follower> = run_to(&name, first, wanted.to, config, follower, |block| {
        reader.next_block(block).map_err(SnapshotError::from)
    })?;
    let rows = kernel.strategies().next().map(|follower| follower.rows.clone());
    Ok(rows.unwrap_or_default())
}

struct Follower {
    wanted: Follow,
    underlying: Option<InstrumentIx>,
    live: Option<LiveChain>,
    ticks: u64,
    quotes: u64,
    rows: Vec<FollowRow>,
}

impl Follower {
    fn row(&mut self, ctx: &Ctx<'_>, underlying: InstrumentIx) {
        let (Some(live), Some(spot)) = (&self.live, ctx.price(underlying)) else { return };
        let mut row = FollowRow {
            at: ctx.now(),
            spot: spot.to_f64(),
            series: live.series().len(),
            marked: 0,
            ticks: std::mem::take(&mut self.ticks),
            quotes: std::mem::take(&mut self.quotes),
            quoted: 0,
            inside: 0,
            delta: 0.0,
            gamma: 0.0,
            vega_per_point: 0.0,
            theta_per_day: 0.0,
        };
        for &series in live.series() {
            let Some(risk) = live.risk(series) else { continue };
            row.marked += 1;
            row.delta += risk.delta;
            row.gamma += risk.gamma;
            row.vega_per_point += risk.vega / 100.0;
            row.theta_per_day += risk.theta / 365.0;
            let top = ctx.top(series).copied().unwrap_or_default();
            let sides = top.live_bid(ctx.now()).zip(top.live_ask(ctx.now()));
            if let Some((bid, ask)) = sides {
                row.quoted += 1;
                let (low, high) = (bid.price.to_f64(), ask.price.to_f64());
                row.inside += usize::from(low <= risk.price && risk.price <= high);
            }
        }
        self.rows.push(row);
    }
}

impl Strategy for Follower {
    fn name(&self) -> &'static str {
        "follower"
    }

    fn version(&self) -> &'static str {
        "1"
    }

    fn save(&self, _: &mut Vec<u8>) {}

    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }

    fn on_start(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        ctx.timer(self.wanted.from, 0);
        Flow::Continue
    }

    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        if let Some(live) = &mut self.live {
            live.on_quote(ctx, instrument);
            if Some(instrument) == self.underlying {
                self.ticks += 1;
            } else {
                self.quotes += 1;
            }
        }
        Flow::Continue
    }

    fn on_timer(&mut self, ctx: &mut Ctx<'_>, _: u64) -> Flow {
        let is_wanted = |ix: &usize| ctx.instruments()[*ix].symbol == self.wanted.symbol;
        let found = (0..ctx.instruments().len()).find(is_wanted).map(InstrumentIx::from);
        self.underlying = found;
        if let Some(underlying) = found {
            // What was listed or settled since the last report joins or leaves here.
            let is_stale = self.live.is_none();
            match &mut self.live {
                Some(live) => live.advance(ctx),
                None => self.live = LiveChain::new(ctx, underlying, self.wanted.dividend_yield),
            }
            if is_stale {
                (self.ticks, self.quotes) = (0, 0);
            }
            self.row(ctx, underlying);
        }
        let next = Nanos(ctx.now().0.saturating_add(self.wanted.every_ns));
        if next <= self.wanted.to {
            ctx.timer(next, 0);
        }
        Flow::Continue
    }
}
