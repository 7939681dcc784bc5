//! Live Greeks of a whole chain, for the strategy that owns them.
//!
//! A [`LiveChain`] keeps one volatility per series, implied by the series' last midpoint, and re-marks all
//! series on each quote of the underlying ([`onetape_pricing::chain::live::ChainPricer`], which says by which
//! method and to what error). It is a function of the quotes it was shown, so runs and re-runs agree bit
//! for bit; a strategy that keeps decisions on it saves it with its own state.
//!
//! Carry is the run's rate and one dividend yield; cash dividends are not modelled.

use crate::ids::InstrumentIx;
use crate::instrument::ExerciseStyle;
use crate::num::Nanos;
use crate::strategy::Ctx;
use onetape_pricing::bsm::Risk;
use onetape_pricing::chain::live::{ChainPricer, ExpirySeries, ExpiryTerms};
use onetape_pricing::finite_difference::Exercise;
use std::collections::BTreeMap;

/// Series with one settlement instant.
struct Group {
    settlement: Nanos,
    from: usize,
    to: usize,
}

/// Prices and Greeks of every series on one underlying.
pub struct LiveChain {
    underlying: InstrumentIx,
    series: Vec<InstrumentIx>,
    places: BTreeMap<InstrumentIx, usize>,
    groups: Vec<Group>,
    pricer: ChainPricer,
    rate: f64,
    dividend_yield: f64,
    /// When time to expiry was last taken.
    clock: Nanos,
}

impl LiveChain {
    /// All series listed on `underlying` so far that have not settled; `None` while there is none or the
    /// underlying has no price. Series without a quote have no volatility until [`LiveChain::on_quote`]
    /// shows one.
    pub fn new(ctx: &Ctx<'_>, underlying: InstrumentIx, dividend_yield: f64) -> Option<Self> {
        let spot = ctx.price(underlying)?.to_f64();
        let clock = ctx.now();
        let mut by_expiry: BTreeMap<(Nanos, bool), Vec<InstrumentIx>> = BTreeMap::new();
        let chain = ctx.chain(underlying)?;
        for expiry in chain.expiries() {
            for (_, row) in chain.strikes(expiry) {
                for ix in [row.call, row.put].into_iter().flatten() {
                    let Some(terms) = ctx.instrument(ix).and_then(|def| def.option.as_ref()) else {
                        continue;
                    };
                    if terms.expiry > clock {
                        let is_american = terms.style == ExerciseStyle::American;
                        by_expiry.entry((terms.expiry, is_american)).or_default().push(ix);
                    }
                }
            }
        }
        let rate = ctx.config().rate;
        let mut live = Self {
            underlying,
            series: Vec::new(),
            places: BTreeMap::new(),
            groups: Vec::new(),
            pricer: ChainPricer::new(spot, &[]).ok()?,
            rate,
            dividend_yield,
            clock,
        };
        let mut columns = Vec::new();
        for ((settlement, is_american), members) in &by_expiry {
            let from = live.series.len();
            let (mut strikes, mut rights) = (Vec::new(), Vec::new());
            for &ix in members {
                let terms = ctx.instrument(ix)?.option.as_ref()?;
                live.places.insert(ix, live.series.len());
                live.series.push(ix);
                strikes.push(terms.strike.to_f64());
                rights.push(terms.right);
            }
            live.groups.push(Group { settlement: *settlement, from, to: live.series.len() });
            columns.push((*settlement, *is_american, strikes, rights));
        }
        let expiries: Vec<ExpirySeries<'_>> = columns
            .iter()
            .map(|(settlement, is_american, strike, right)| ExpirySeries {
                terms: live.terms(*settlement),
                exercise: if *is_american { Exercise::American } else { Exercise::European },
                strike,
                right,
            })
            .collect();
        live.pricer = ChainPricer::new(spot, &expiries).ok().filter(|p| !p.is_empty())?;
        for at in 0..live.series.len() {
            live.take_midpoint(ctx, at);
        }
        Some(live)
    }

    /// Takes the quote that [`crate::strategy::Strategy::on_quote`] was called for: of the underlying, all
    /// series are re-marked; of a series, its volatility is implied anew. Other instruments are ignored.
    pub fn on_quote(&mut self, ctx: &Ctx<'_>, instrument: InstrumentIx) {
        if instrument == self.underlying {
            if let Some(spot) = ctx.price(instrument) {
                self.pricer.mark(spot.to_f64());
            }
        } else if let Some(&at) = self.places.get(&instrument) {
            self.take_midpoint(ctx, at);
        }
    }

    /// Lets time pass: years to expiry are taken at the present event time and every series is re-marked.
    /// Between calls theta is not accrued; call it from a timer.
    pub fn advance(&mut self, ctx: &Ctx<'_>) {
        self.clock = ctx.now();
        for (expiry, group) in self.groups.iter().enumerate() {
            let terms = self.terms(group.settlement);
            // The terms are finite and the expiry is this chain's.
            if self.pricer.set_terms(expiry, terms).is_err() {
                debug_assert!(false, "terms of a live chain are admissible");
            }
        }
    }

    /// The series, in the order of [`LiveChain::prices`].
    pub fn series(&self) -> &[InstrumentIx] {
        &self.series
    }

    /// Present values, one per series; NaN without a volatility.
    pub fn prices(&self) -> &[f64] {
        self.pricer.prices()
    }

    /// Price and Greeks of a series; `None` when it is not of this chain or has no volatility.
    pub fn risk(&self, series: InstrumentIx) -> Option<Risk> {
        let risk = self.pricer.risk(*self.places.get(&series)?);
        (!risk.price.is_nan()).then_some(risk)
    }

    /// Implied volatility of a series; `None` when it is not of this chain or has none.
    pub fn vol(&self, series: InstrumentIx) -> Option<f64> {
        let vol = self.pricer.vols()[*self.places.get(&series)?];
        (!vol.is_nan()).then_some(vol)
    }

    /// Appends what the quotes have left: spot, clock and volatilities.
    pub fn save(&self, out: &mut Vec<u8>) {
        out.extend(self.clock.0.to_le_bytes());
        out.extend(self.pricer.spot().to_bits().to_le_bytes());
        for vol in self.pricer.vols() {
            out.extend(vol.to_bits().to_le_bytes());
        }
    }

    /// Restores what [`LiveChain::save`] appended, on a chain of the same series; `false`, and nothing
    /// changed, when the bytes are not of such a chain.
    pub fn load(&mut self, bytes: &[u8]) -> bool {
        let (words, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() || words.len() != 2 + self.series.len() {
            return false;
        }
        let word = |at: usize| u64::from_le_bytes(words[at]);
        self.clock = Nanos(word(0));
        self.pricer.mark(f64::from_bits(word(1)));
        for at in 0..self.series.len() {
            // A NaN is refused and leaves the series as the definitions made it, without a volatility.
            let _ = self.pricer.set_vol(at, f64::from_bits(word(2 + at)));
        }
        for (expiry, group) in self.groups.iter().enumerate() {
            let _ = self.pricer.set_terms(expiry, self.terms(group.settlement));
        }
        true
    }

    /// Number of expiries, series of one settlement instant and exercise style counting as one.
    pub fn expiries(&self) -> usize {
        self.groups.len()
    }

    /// The series of an expiry, by its number.
    pub fn expiry(&self, expiry: usize) -> &[InstrumentIx] {
        self.groups.get(expiry).map_or(&[], |group| &self.series[group.from..group.to])
    }

    fn terms(&self, settlement: Nanos) -> ExpiryTerms {
        let years = settlement.0.saturating_sub(self.clock.0) as f64 / (365.0 * 86_400.0 * 1e9);
        ExpiryTerms { years, rate: self.rate, dividend_yield: self.dividend_yield }
    }

    /// A midpoint without an implied volatility leaves the last one.
    fn take_midpoint(&mut self, ctx: &Ctx<'_>, at: usize) {
        let midpoint = ctx.top(self.series[at]).and_then(|top| top.mid(ctx.now()));
        if let Some(price) = midpoint {
            let _ = self.pricer.imply(at, price.to_f64());
        }
    }
}
