//! The strategy that is measured with: it reads what a strategy reads and proves that it did.

use crate::driver::BlockSink;
use onetape_engine::block::Block;
use onetape_engine::config::{AccountConfig, Latency, RunConfig, StrategyConfig};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::{Money, Price, Qty, SCALE};
use onetape_engine::order::{Package, TimeInForce};
use onetape_engine::strategy::{Ctx, Flow, Param, ParamError, StateError, Strategy};
use std::convert::Infallible;

const NAME: &str = "checksum";
const VERSION: &str = "1";

/// Rounds of [`Checksum`] that cost a little over 35 ns on current processors.
pub(super) const WORK_ROUNDS: u32 = 50;

/// Folds the best bid and ask of every quote; keeps one order resting far from the market.
#[derive(Debug, Clone, Default)]
pub(super) struct Checksum {
    pub(super) sum: u64,
    quotes: u64,
    pub(super) orders: u64,
    pub(super) settings: Settings,
}

/// What a [`Checksum`] does besides.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Settings {
    /// Rounds of extra arithmetic per quote, to stand for a working strategy.
    pub(super) work: u32,
    /// A market order on each so many-th quote, buy and sell in turn; 0 sends none.
    pub(super) every: u64,
}

impl Settings {
    fn params(self) -> Vec<(&'static str, String)> {
        vec![("work", self.work.to_string()), ("every", self.every.to_string())]
    }

    /// A configuration in which this strategy runs and no limit stops its orders.
    pub(super) fn config(self) -> RunConfig {
        let params = self.params().into_iter().map(|(key, value)| (key.to_string(), value)).collect();
        let strategy = StrategyConfig { name: NAME.into(), version: VERSION.into(), params };
        let cash = Money(1_000_000_000 * i128::from(SCALE));
        let accounts = vec![AccountConfig { name: "main".to_string(), cash }];
        let mut config = RunConfig { strategies: vec![strategy], accounts, ..RunConfig::default() };
        if self.every > 0 {
            config.latency = Latency { entry_ns: 0, response_ns: 0, feed_ns: 0 };
        }
        // The resting order is far from the market on purpose.
        config.risk.collar_fraction = None;
        config
    }

    pub(super) fn strategy(self) -> Checksum {
        Checksum { settings: self, ..Checksum::default() }
    }
}

impl Strategy for Checksum {
    fn name(&self) -> &'static str {
        NAME
    }
    fn version(&self) -> &'static str {
        VERSION
    }
    fn params(&self) -> Vec<Param> {
        let param = |(key, value)| Param { key, value, doc: "see the bench" };
        self.settings.params().into_iter().map(param).collect()
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        let invalid = |_| ParamError::Invalid {
            key: key.to_string(),
            value: value.to_string(),
            expected: "a number".to_string(),
        };
        match key {
            "work" => self.settings.work = value.parse().map_err(invalid)?,
            "every" => self.settings.every = value.parse().map_err(invalid)?,
            _ => return Err(ParamError::Unknown { key: key.to_string(), known: "work, every".to_string() }),
        }
        Ok(())
    }
    fn save(&self, out: &mut Vec<u8>) {
        out.extend(self.sum.to_le_bytes());
    }
    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
    #[inline]
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        if let Some(top) = ctx.top(instrument) {
            let fold = |sum: u64, raw: i64| sum.wrapping_mul(31).wrapping_add(raw as u64);
            self.sum = fold(fold(self.sum, top.bid.price.0), top.ask.price.0);
        }
        for _ in 0..self.settings.work {
            // A dependent multiply-rotate chain: about four cycles a round, nothing to skip.
            self.sum = self.sum.rotate_left(7).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        if self.quotes == 0 {
            let package = Package::limit(instrument, Qty::ONE, Price(SCALE)).with_tif(TimeInForce::Gtc);
            ctx.submit(package);
        }
        self.quotes += 1;
        if self.settings.every != 0 && self.quotes.is_multiple_of(self.settings.every) {
            let quantity = if self.orders.is_multiple_of(2) { Qty::ONE } else { Qty::ONE.neg() };
            self.orders += 1;
            ctx.submit(Package::market(instrument, quantity));
        }
        Flow::Continue
    }
}

/// A sink that keeps nothing.
#[derive(Debug)]
pub(super) struct Discard;

impl BlockSink for Discard {
    type Error = Infallible;
    fn put(&mut self, mut block: Block) -> Result<Block, Infallible> {
        block.inputs.clear();
        block.cold.clear();
        block.derived.clear();
        Ok(block)
    }
}
