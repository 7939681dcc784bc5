//! `count` and `dense`: strategies for measuring the engine, not for trading.
//!
//! - `count` counts quotes.
//! - `dense` sends a market order of one unit on every 20th quote of one instrument, alternately
//!   buy and sell, beginning with a buy.

use crate::params::{self, param};
use crate::saved;
use crate::target::Target;
use onetape_engine::Qty;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::order::Package;
use onetape_engine::strategy::{Ctx, Flow, Param, ParamError, StateError, Strategy};
use serde::{Deserialize, Serialize};

/// Counts quotes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Count {
    /// Quotes seen.
    pub quotes: u64,
}

impl Strategy for Count {
    fn name(&self) -> &'static str {
        "count"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn save(&self, out: &mut Vec<u8>) {
        saved::save(self, out);
    }
    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        *self = saved::load(bytes, self.name(), self.version())?;
        Ok(())
    }
    #[inline]
    fn on_quote(&mut self, _: &mut Ctx<'_>, _: InstrumentIx) -> Flow {
        self.quotes += 1;
        Flow::Continue
    }
}

/// Orders on every n-th quote.
///
/// | parameter | meaning |
/// |---|---|
/// | `symbol` | instrument; empty: the first equity defined, else the first future |
/// | `every` | quotes between orders, 1 to 1,000,000 |
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dense {
    target: Target,
    every: u32,
    left: u32,
    sells_next: bool,
}

impl Default for Dense {
    fn default() -> Dense {
        Dense { target: Target::default(), every: 20, left: 20, sells_next: false }
    }
}

impl Strategy for Dense {
    fn name(&self) -> &'static str {
        "dense"
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
            param("every", self.every, "quotes between orders, 1 to 1000000"),
        ]
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        match key {
            "symbol" => self.target.symbol = params::symbol(key, value)?,
            "every" => {
                self.every = params::whole(key, value, 1, 1_000_000)?;
                self.left = self.every;
            }
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
        self.left -= 1;
        if self.left == 0 {
            self.left = self.every;
            let quantity = if self.sells_next { Qty::ONE.neg() } else { Qty::ONE };
            self.sells_next = !self.sells_next;
            ctx.submit(Package::market(instrument, quantity));
        }
        Flow::Continue
    }
}
