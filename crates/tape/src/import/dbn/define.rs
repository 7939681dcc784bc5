//! Instruments of DBN files: from definition records where there are any, else from the symbols
//! that the metadata map ids to.

use crate::import::ImportError;
use crate::import::terms::{
    Listed, OccParts, class_of, define_listed, index, is_index, number_of, occ_parts, underlying_of,
};
use dbn::InstrumentDefMsg;
use onetape_calendar::{Date, Market, Zone};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::instrument::{
    ExerciseStyle, InstrumentDef, InstrumentKind, OptionTerms, Right, Settlement, SettlementTime, TickRule,
};
use onetape_engine::num::{Nanos, Price, Qty, SCALE};

/// Trading hours by dataset; `None` of markets the calendar does not know.
pub(super) fn market_of(dataset: &str) -> Option<Market> {
    match dataset.split('.').next().unwrap_or(dataset) {
        "GLBX" => Some(Market::CmeEquityIndex),
        "OPRA" => Some(Market::EquityOption),
        "XNAS" | "XNYS" | "ARCX" | "EQUS" | "DBEQ" | "XBOS" | "XPSX" | "BATS" | "BATY" | "EDGA" | "EDGX"
        | "IEXG" | "MEMX" | "EPRL" | "XASE" | "XCHI" | "XCIS" => Some(Market::UsEquity),
        _ => None,
    }
}

/// What an instrument is, as far as the source says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Facts {
    /// Share or fund.
    Share,
    /// Future, spread, bond: traded under its own name. `None` where no definition was read.
    Outright(Option<Contract>),
    /// Option of a US options class; the symbol is OSI.
    Listed(OccParts),
    /// Option on a future, with the underlying's symbol.
    OnFuture(Contract, FutureOption),
}

/// Size and end of a futures contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct Contract {
    pub(in crate::import) multiplier: i64,
    /// Smallest price increment; 0 where unstated.
    pub(in crate::import) increment: i64,
    /// UTC nanoseconds; 0 where unstated.
    pub(in crate::import) expiration: u64,
}

/// Terms of an option on a future.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct FutureOption {
    pub(in crate::import) root: String,
    pub(in crate::import) underlying: String,
    pub(in crate::import) strike: i64,
    pub(in crate::import) right: Right,
    pub(in crate::import) style: ExerciseStyle,
    pub(in crate::import) settlement: Settlement,
}

/// Reads an OSI symbol; `None` of any other symbol.
pub(super) fn osi_parts(symbol: &str) -> Option<OccParts> {
    if symbol.len() == 21 { occ_parts(symbol) } else { None }
}

impl Facts {
    /// From a definition record.
    pub(super) fn of_definition(def: &InstrumentDefMsg) -> Facts {
        let symbol = def.raw_symbol().unwrap_or_default();
        if let Some(parts) = osi_parts(symbol) {
            return Facts::Listed(parts);
        }
        let unit = def.unit_of_measure_qty;
        let multiplier = match def.contract_multiplier {
            factor if factor > 0 && factor != i32::MAX => i64::from(factor),
            _ if unit > 0 && unit != i64::MAX && unit % SCALE == 0 => unit / SCALE,
            _ => 1,
        };
        let increment = match def.min_price_increment {
            step if step > 0 && step != i64::MAX => step,
            _ => 0,
        };
        let expiration = if def.expiration == u64::MAX { 0 } else { def.expiration };
        let contract = Contract { multiplier, increment, expiration };
        let right = match def.instrument_class as u8 {
            b'K' => return Facts::Share,
            b'C' => Right::Call,
            b'P' => Right::Put,
            _ => return Facts::Outright(Some(contract)),
        };
        // ISO 10962 (CFI): third letter exercise style, fifth delivery.
        let cfi = def.cfi().unwrap_or_default().as_bytes();
        let style = match cfi.get(2) {
            Some(b'A') => ExerciseStyle::American,
            _ => ExerciseStyle::European,
        };
        let settlement = match cfi.get(4) {
            Some(b'C') => Settlement::Cash,
            _ => Settlement::Physical,
        };
        let option = FutureOption {
            root: def.asset().unwrap_or_default().to_string(),
            underlying: def.underlying().unwrap_or_default().to_string(),
            strike: def.strike_price,
            right,
            style,
            settlement,
        };
        if option.underlying.is_empty() || option.strike == i64::MAX || contract.expiration == 0 {
            return Facts::Outright(Some(contract));
        }
        Facts::OnFuture(contract, option)
    }

    /// From a dataset and a symbol alone.
    pub(super) fn guess(dataset: &str, symbol: &str) -> Facts {
        match (osi_parts(symbol), market_of(dataset)) {
            (Some(parts), _) => Facts::Listed(parts),
            (None, Some(Market::UsEquity | Market::EquityOption)) => Facts::Share,
            (None, _) => Facts::Outright(None),
        }
    }

    /// Symbol of the underlying of an option.
    pub(super) fn underlying(&self) -> Option<&str> {
        match self {
            Facts::Listed(parts) => Some(underlying_of(&parts.root)),
            Facts::OnFuture(_, option) => Some(&option.underlying),
            Facts::Share | Facts::Outright(_) => None,
        }
    }

    /// Place in the order of definition: others first, options by root, expiry, strike, right.
    pub(super) fn rank(&self) -> (bool, String, u64, i64, bool) {
        match self {
            Facts::Share | Facts::Outright(_) => (false, String::new(), 0, 0, false),
            Facts::Listed(OccParts { root, expiry, right, strike }) => {
                (true, root.clone(), u64::from(number_of(*expiry)), strike.0, *right == Right::Put)
            }
            Facts::OnFuture(contract, option) => {
                let FutureOption { root, strike, right, .. } = option;
                (true, root.clone(), contract.expiration, *strike, *right == Right::Put)
            }
        }
    }

    /// Hours outside which records are marked extended; `None` where there are no such hours.
    pub(super) fn hours(&self, on: Date) -> Result<Option<Market>, ImportError> {
        Ok(match self {
            Facts::Share => Some(Market::UsEquity),
            Facts::Listed(parts) => Some(class_of(&parts.root, on)?.market),
            Facts::Outright(_) | Facts::OnFuture(..) => None,
        })
    }
}

/// Contract size of a future whose definition was not read, by product: CME contract
/// specifications of the equity-index futures.
fn known_multiplier(symbol: &str) -> Option<i64> {
    let year_cut = symbol.trim_end_matches(|c: char| c.is_ascii_digit());
    // Before the year stands the month's letter; without a year all is product.
    let month = year_cut.char_indices().last().filter(|_| year_cut.len() < symbol.len());
    let product = &year_cut[..month.map_or(year_cut.len(), |(at, _)| at)];
    Some(match product.split('.').next().unwrap_or(product) {
        "ES" | "RTY" => 50,
        "NQ" => 20,
        "YM" | "MES" | "M2K" => 5,
        "MNQ" => 2,
        _ => return None,
    })
}

/// An instrument to define.
pub(super) struct Undefined<'a> {
    pub(super) symbol: &'a str,
    pub(super) facts: &'a Facts,
    /// Dataset, id and where the facts come from.
    pub(super) source: String,
    /// Date on which class rows are looked up.
    pub(super) on: Date,
    pub(super) underlying: Option<InstrumentIx>,
    pub(super) quote_hold_ns: Option<u64>,
    pub(super) is_penny: bool,
}

impl Undefined<'_> {
    /// The definition, with options' terms from the calendar or the definition record.
    pub(super) fn define(self) -> Result<InstrumentDef, ImportError> {
        let underlying = self.underlying.unwrap_or(InstrumentIx::NONE);
        let mut def = match self.facts {
            Facts::Share if is_index(self.symbol) => index(self.symbol),
            Facts::Share => InstrumentDef::equity(self.symbol),
            Facts::Outright(contract) => outright(self.symbol, contract.as_ref()),
            Facts::Listed(OccParts { root, expiry, right, strike }) => {
                let listed = Listed {
                    root: root.clone(),
                    expiry: *expiry,
                    strike: *strike,
                    right: *right,
                    style: None,
                    is_penny: self.is_penny,
                    source: String::new(),
                };
                define_listed(&listed, class_of(root, self.on)?, underlying)?
            }
            Facts::OnFuture(contract, option) => future_option(self.symbol, contract, option, underlying),
        };
        def.source = self.source;
        def.quote_hold_ns = self.quote_hold_ns;
        Ok(def)
    }
}

/// A future of which only the symbol is known.
pub(in crate::import) fn future(symbol: &str) -> InstrumentDef {
    outright(symbol, None)
}

/// A future of a known or unknown contract.
pub(in crate::import) fn outright(symbol: &str, contract: Option<&Contract>) -> InstrumentDef {
    let multiplier = contract.map(|c| c.multiplier).or_else(|| known_multiplier(symbol)).unwrap_or(1);
    let increment = contract.map_or(0, |c| c.increment);
    InstrumentDef {
        kind: InstrumentKind::Future,
        multiplier,
        tick: if increment > 0 { TickRule::Fixed(increment) } else { TickRule::Free },
        expiry: contract.map(|c| c.expiration).filter(|at| *at > 0).map(Nanos),
        ..InstrumentDef::equity(symbol)
    }
}

/// An option on a future. Exercise is decided at the expiration; the clearing house assigns overnight, 12
/// hours are assumed.
pub(in crate::import) fn future_option(
    symbol: &str,
    contract: &Contract,
    option: &FutureOption,
    underlying: InstrumentIx,
) -> InstrumentDef {
    const ASSIGNMENT_NS: u64 = 12 * 3_600 * 1_000_000_000;
    let expiry = Nanos(contract.expiration);
    let terms = OptionTerms {
        underlying,
        root: option.root.clone(),
        expiry_date: number_of(Zone::Chicago.date_at(contract.expiration)),
        strike: Price(option.strike),
        right: option.right,
        style: option.style,
        settlement: option.settlement,
        settlement_time: SettlementTime::Pm,
        last_trade: expiry,
        expiry,
        exercise_cutoff: expiry,
        notice: expiry.after(ASSIGNMENT_NS),
    };
    InstrumentDef {
        symbol: symbol.to_string(),
        kind: InstrumentKind::Option,
        multiplier: contract.multiplier,
        tick: if contract.increment > 0 { TickRule::Fixed(contract.increment) } else { TickRule::Free },
        lot: Qty::ONE,
        option: Some(terms),
        expiry: None,
        quote_hold_ns: None,
        source: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_calendar::date;

    #[test]
    fn symbols_say_what_an_instrument_is() {
        let parts = osi_parts("AAPL  250221C00232500").unwrap();
        assert_eq!((parts.root.as_str(), parts.expiry), ("AAPL", date(2025, 2, 21)));
        assert_eq!((parts.right, parts.strike), (Right::Call, "232.5".parse().unwrap()));
        for symbol in ["AAPL", "AAPL  251321C00232500", "AAPL  250221X00232500", "      250221C00232500"] {
            assert_eq!(osi_parts(symbol), None, "{symbol}");
        }
        assert_eq!(Facts::guess("XNAS.ITCH", "MSFT"), Facts::Share);
        assert_eq!(Facts::guess("GLBX.MDP3", "ESH1"), Facts::Outright(None));
        for (symbol, multiplier) in [
            ("ESH1", Some(50)),
            ("MNQZ24", Some(2)),
            ("ES.c.0", Some(50)),
            ("ZCH1", None),
            ("2024", None),
            ("é4", None),
        ] {
            assert_eq!(known_multiplier(symbol), multiplier, "{symbol}");
        }
    }
}
