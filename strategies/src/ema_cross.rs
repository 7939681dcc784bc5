//! `ema-cross`: two exponential averages of the midpoint, stop and reverse.
//!
//! Rules, on each two-sided quote of one instrument with x = (bid + ask) / 2 in price units:
//! - each average starts at the first x; afterwards ema = a·x + (1 − a)·ema, a = 2 / (period + 1);
//! - once as many values as the slow period were seen, `above` = fast > slow is evaluated on every
//!   value; the first evaluation only stores it;
//! - on each change a market order goes out, a buy if above, else a sell: `quantity` first, twice
//!   that ever after.
//!
//! Without a symbol the first equity defined is traded, else the first future. Limits: no session
//! logic and no flat close; a rejected order leaves the position behind the signal.

use crate::params::{self, param};
use crate::saved;
use crate::target::Target;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::order::Package;
use onetape_engine::strategy::{Ctx, Flow, Param, ParamError, StateError, Strategy};
use onetape_engine::{Price, Qty};
use serde::{Deserialize, Serialize};

/// Crossing of two exponential moving averages.
///
/// | parameter | meaning |
/// |---|---|
/// | `symbol` | instrument; empty: the first equity defined, else the first future |
/// | `fast`, `slow` | periods in quotes, 1 to 1,000,000 |
/// | `quantity` | first order, 1 to 1,000,000; later ones are twice that |
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EmaCross {
    target: Target,
    fast: u32,
    slow: u32,
    quantity: Qty,
    fast_ema: f64,
    slow_ema: f64,
    seen: u32,
    above: Option<bool>,
    has_ordered: bool,
}

impl Default for EmaCross {
    fn default() -> EmaCross {
        EmaCross {
            target: Target::default(),
            fast: 100,
            slow: 1000,
            quantity: Qty::ONE,
            fast_ema: 0.0,
            slow_ema: 0.0,
            seen: 0,
            above: None,
            has_ordered: false,
        }
    }
}

impl EmaCross {
    /// Takes one value; `Some(above)` when the averages crossed.
    #[inline]
    fn observe(&mut self, x: f64) -> Option<bool> {
        if self.seen == 0 {
            (self.fast_ema, self.slow_ema) = (x, x);
        } else {
            let (fast, slow) = (2.0 / (f64::from(self.fast) + 1.0), 2.0 / (f64::from(self.slow) + 1.0));
            self.fast_ema = fast * x + (1.0 - fast) * self.fast_ema;
            self.slow_ema = slow * x + (1.0 - slow) * self.slow_ema;
        }
        self.seen = self.seen.saturating_add(1);
        if self.seen < self.slow {
            return None;
        }
        let above = self.fast_ema > self.slow_ema;
        let before = self.above.replace(above);
        before.is_some_and(|before| before != above).then_some(above)
    }
}

impl Strategy for EmaCross {
    fn name(&self) -> &'static str {
        "ema-cross"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn params(&self) -> Vec<Param> {
        vec![
            param(
                "symbol",
                &self.target.symbol,
                "instrument; empty: the first equity, else the first future, defined",
            ),
            param("fast", self.fast, "period of the fast average in quotes, 1 to 1000000"),
            param("slow", self.slow, "period of the slow average in quotes, 1 to 1000000"),
            param(
                "quantity",
                self.quantity,
                "shares or contracts of the first order, later ones twice, 1 to 1000000",
            ),
        ]
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        match key {
            "symbol" => self.target.symbol = params::symbol(key, value)?,
            "fast" => self.fast = params::whole(key, value, 1, 1_000_000)?,
            "slow" => self.slow = params::whole(key, value, 1, 1_000_000)?,
            "quantity" => self.quantity = params::quantity(key, value)?,
            _ => return Err(params::unknown(key, &self.params())),
        }
        Ok(())
    }
    fn save(&self, out: &mut Vec<u8>) {
        saved::save(self, out);
    }
    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        *self = saved::load(bytes, self.name(), self.version())?;
        Ok(())
    }
    fn on_definition(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        self.target.consider(ctx, instrument);
        Flow::Continue
    }
    #[inline]
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        if !self.target.is(instrument) {
            return Flow::Continue;
        }
        let now = ctx.now();
        let Some((bid, ask)) = ctx.top(instrument).and_then(|top| {
            let side: (Price, Price) = (top.live_bid(now)?.price, top.live_ask(now)?.price);
            Some(side)
        }) else {
            return Flow::Continue;
        };
        if let Some(above) = self.observe((bid.to_f64() + ask.to_f64()) / 2.0) {
            let size = if self.has_ordered { self.quantity + self.quantity } else { self.quantity };
            self.has_ordered = true;
            ctx.submit(Package::market(instrument, if above { size } else { size.neg() }));
        }
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_evaluation_only_stores() {
        let mut ema = EmaCross { fast: 1, slow: 3, ..EmaCross::default() };
        // slow: a = 0.5; values 10, 12, 11: 10, 11, 11; fast follows the value.
        assert_eq!(ema.observe(10.0), None);
        assert_eq!(ema.observe(12.0), None);
        assert_eq!(ema.observe(11.0), None, "11 > 11 is false: stored");
        assert_eq!(ema.observe(11.0), None);
        assert_eq!(ema.observe(13.0), Some(true));
        assert_eq!(ema.observe(14.0), None);
        assert_eq!(ema.observe(1.0), Some(false));
    }
}
