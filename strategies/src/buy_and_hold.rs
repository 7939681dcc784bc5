//! `buy-and-hold`: buys one instrument at the market and holds it.
//!
//! The order goes out on the first two-sided quote of the instrument while the session is open
//! (on tapes without session phases: on the first two-sided quote). A rejected order is not
//! repeated. Without a symbol the first equity defined is bought, else the first future.

use crate::params::{self, param};
use crate::saved;
use crate::target::Target;
use onetape_engine::Qty;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::order::Package;
use onetape_engine::record::Phase;
use onetape_engine::strategy::{Ctx, Flow, Param, ParamError, StateError, Strategy};
use serde::{Deserialize, Serialize};

/// Buys at the open and holds.
///
/// | parameter | meaning |
/// |---|---|
/// | `symbol` | instrument to buy; empty: the first equity defined, else the first future |
/// | `quantity` | shares or contracts, 1 to 1,000,000 |
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuyAndHold {
    target: Target,
    quantity: Qty,
    has_ordered: bool,
}

impl Default for BuyAndHold {
    fn default() -> BuyAndHold {
        BuyAndHold {
            target: Target::default(),
            quantity: Qty::from_whole(100).unwrap_or(Qty::ONE),
            has_ordered: false,
        }
    }
}

impl Strategy for BuyAndHold {
    fn name(&self) -> &'static str {
        "buy-and-hold"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn params(&self) -> Vec<Param> {
        vec![
            param(
                "symbol",
                &self.target.symbol,
                "instrument to buy; empty: the first equity, else future, defined",
            ),
            param("quantity", self.quantity, "shares or contracts, 1 to 1000000"),
        ]
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        match key {
            "symbol" => self.target.symbol = params::symbol(key, value)?,
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
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        if self.has_ordered || !self.target.is(instrument) {
            return Flow::Continue;
        }
        let is_open = ctx.session().is_none_or(|session| session.phase == Phase::Open as u8);
        if is_open && ctx.top(instrument).is_some_and(|top| top.mid(ctx.now()).is_some()) {
            self.has_ordered = true;
            ctx.submit(Package::market(instrument, self.quantity));
        }
        Flow::Continue
    }
}
