//! The one instrument a simple strategy trades.

use onetape_engine::ids::InstrumentIx;
use onetape_engine::instrument::InstrumentKind;
use onetape_engine::strategy::Ctx;
use serde::{Deserialize, Serialize};

/// An instrument by symbol, else the first equity defined, else the first future.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Target {
    /// Wanted symbol; empty: the first equity, else the first future.
    pub(crate) symbol: String,
    found: Option<(InstrumentIx, InstrumentKind)>,
}

impl Target {
    /// Looks at a definition.
    pub(crate) fn consider(&mut self, ctx: &Ctx<'_>, instrument: InstrumentIx) {
        let Some(def) = ctx.instrument(instrument) else { return };
        let held = self.found.map(|(_, kind)| kind);
        let is_wanted = if self.symbol.is_empty() {
            match def.kind {
                InstrumentKind::Equity => held != Some(InstrumentKind::Equity),
                InstrumentKind::Future => held.is_none(),
                InstrumentKind::Index | InstrumentKind::Option => false,
            }
        } else {
            def.symbol == self.symbol
        };
        if is_wanted {
            self.found = Some((instrument, def.kind));
        }
    }

    /// Whether this is the instrument.
    #[inline]
    pub(crate) fn is(&self, instrument: InstrumentIx) -> bool {
        self.found.is_some_and(|(found, _)| found == instrument)
    }
}
