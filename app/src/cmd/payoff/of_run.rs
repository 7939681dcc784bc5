//! The position of a journalled run at a time, valued at the quotes of that moment.

use crate::Session;
use crate::failure::Failure;
use onetape_analytics::chain::report::smile;
use onetape_analytics::chain::{CarryTerms, ExpirySlice, Snapshot, SnapshotError};
use onetape_analytics::payoff::{Contract, Leg, Position};
use onetape_engine::block::Block;
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_journal::{JournalReader, Point};
use onetape_pricing::surface::Smile;
use onetape_session::audit::{HeldPosition, state_at};
use std::path::Path;

/// What is asked about a run.
pub(super) struct RunPosition<'a> {
    pub(super) folder: &'a Path,
    pub(super) at: &'a str,
    /// The underlying; needed where positions are on several.
    pub(super) symbol: Option<&'a str>,
    /// Interest rate; the run's own when `None`.
    pub(super) rate: Option<f64>,
    /// Volatility of series whose quotes give none.
    pub(super) vol: Option<f64>,
}

/// A holding with its definition and its underlying's symbol.
struct Held<'a> {
    held: &'a HeldPosition,
    def: &'a InstrumentDef,
    underlying: String,
}

/// The position with a title for its picture.
pub(super) fn position(
    asked: &RunPosition<'_>,
    session: &Session<'_>,
) -> Result<(Position, String), Failure> {
    let at: Point = asked.at.parse().map_err(|error| Failure::usage(format!("--at: {error}")))?;
    let reader = JournalReader::open(&asked.folder.join("journal"))?;
    let state = state_at(&reader, session.registry, at, false)?;
    let (mut blocks, mut first) = (reader.blocks(), Block::default());
    blocks.next_block(&mut first)?;
    let first_ts = first.inputs.first().map_or(0, |record| record.ts);
    let stated = first.cold.iter().find_map(|cold| match cold {
        Cold::Start(config) => Some(config.rate),
        _ => None,
    });
    let mut again = reader.blocks();
    let snapshot = Snapshot::of_blocks(reader.path(), first_ts, state.ts, |block| {
        again.next_block(block).map_err(|error| SnapshotError::Read(error.to_string()))
    })
    .map_err(|error| Failure::input(error.to_string()))?;
    let positions: Vec<&HeldPosition> =
        state.accounts.iter().flat_map(|account| &account.positions).collect();
    let held = choose(&positions, &snapshot, asked)?;
    let terms = CarryTerms { rate: asked.rate.or(stated).unwrap_or(0.0), dividends: Vec::new() };
    let position = build(&held, &snapshot, &terms, asked)?;
    let title = format!("{} at {} UTC", held[0].underlying, crate::times::utc(state.ts));
    Ok((position, title))
}

/// The holdings on one underlying.
fn choose<'a>(
    positions: &[&'a HeldPosition],
    snapshot: &'a Snapshot,
    asked: &RunPosition<'_>,
) -> Result<Vec<Held<'a>>, Failure> {
    let mut all = Vec::new();
    for held in positions {
        let Some(def) = snapshot.instruments.iter().find(|def| def.symbol == held.symbol) else { continue };
        let underlying = def
            .option
            .as_ref()
            .map_or(&def.symbol, |terms| &snapshot.instruments[terms.underlying.index()].symbol);
        all.push(Held { held, def, underlying: underlying.clone() });
    }
    if all.is_empty() {
        return Err(Failure::input(format!("{}: nothing is held at this time", asked.folder.display())));
    }
    let mut names: Vec<String> = all.iter().map(|held| held.underlying.clone()).collect();
    names.sort();
    names.dedup();
    let wanted = match (asked.symbol, names.as_slice()) {
        (Some(symbol), _) => symbol.to_string(),
        (None, [one]) => one.clone(),
        (None, _) => {
            let known = names.join(", ");
            return Err(Failure::usage(format!("--symbol: positions are on {known}; choose one")));
        }
    };
    all.retain(|held| held.underlying == wanted);
    if all.is_empty() {
        let known = names.join(", ");
        return Err(Failure::input(format!(
            "--symbol: nothing is held on '{wanted}'; positions are on {known}"
        )));
    }
    Ok(all)
}

fn build(
    held: &[Held<'_>],
    snapshot: &Snapshot,
    terms: &CarryTerms,
    asked: &RunPosition<'_>,
) -> Result<Position, Failure> {
    // Stock counts units of the options' multiplier.
    let multiplier = held.iter().filter(|one| one.def.option.is_some()).map(|one| one.def.multiplier as f64);
    let multiplier = multiplier.fold(f64::NAN, f64::max).max(1.0);
    let (mut legs, mut nearest): (Vec<Leg>, Option<ExpirySlice>) = (Vec::new(), None);
    let mut spot = None;
    for one in held {
        let units = one.held.quantity.to_f64() * one.def.multiplier as f64;
        let price = one.held.cost.to_f64() / units;
        let quantity = units / multiplier;
        let Some(option) = &one.def.option else {
            let ix = snapshot.instruments.iter().position(|def| def.symbol == one.held.symbol);
            spot = spot.or(ix.and_then(|n| snapshot.price(n.into())));
            legs.push(Leg { quantity, contract: Contract::Stock, price });
            continue;
        };
        let key = (option.expiry_date, option.root.clone());
        let slice = snapshot.slice(&key, terms).map_err(|error| Failure::input(error.to_string()))?;
        let strike = option.strike.to_f64();
        let quoted = slice.find(strike, option.right).and_then(|series| series.vols[1]);
        let fitted = || {
            let k = (strike / slice.carry.forward.forward).ln();
            Some(smile(&slice)?.slice.implied_vol(k, slice.years))
        };
        let vol = quoted.or_else(fitted).or(asked.vol).ok_or_else(|| {
            Failure::input(format!(
                "{}: its quotes give no volatility at this time; give --vol",
                one.held.symbol
            ))
        })?;
        spot = spot.or(Some(slice.spot));
        let contract = Contract::Option { right: option.right, strike, years: slice.years, vol };
        legs.push(Leg { quantity, contract, price });
        if nearest.as_ref().is_none_or(|near| slice.years < near.years) {
            nearest = Some(slice);
        }
    }
    let spot = spot.ok_or_else(|| Failure::input("the underlying has no price at this time"))?;
    // A yield within hours of the expiry is noise of the forward.
    let carry = nearest.filter(|slice| slice.years > 1.0 / 365.0).map(|slice| slice.carry);
    Ok(Position {
        legs,
        spot,
        rate: carry.map_or(terms.rate, |carry| carry.rate),
        dividend_yield: carry.map_or(0.0, |carry| carry.carry_yield),
        multiplier,
    })
}
