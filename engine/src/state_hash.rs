//! Hash of the whole state: accounts, open orders, venue, schedule, books, settlements, random streams,
//! strategy bytes.

use crate::state::Core;
use crate::strategy::Strategy;
use rand_chacha::ChaCha8Rng;

fn put<T: serde::Serialize + ?Sized>(hasher: &mut blake3::Hasher, value: &T) {
    let config = bincode::config::standard().with_fixed_int_encoding();
    bincode::serde::encode_into_std_write(value, &mut Sink(hasher), config)
        .expect("plain structs encode, and a hasher takes every byte");
}

struct Sink<'a>(&'a mut blake3::Hasher);

impl std::io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Hashes everything that decides what the loop does next.
pub(crate) fn state_hash<'a, S: Strategy + 'a>(
    core: &Core,
    strategies: impl Iterator<Item = (&'a S, &'a ChaCha8Rng, [bool; 2])>,
) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    put(&mut hasher, &core.accounts);
    let open: Vec<_> = core.open_orders.iter().map(|ix| &core.orders[ix.index()]).collect();
    put(&mut hasher, &(core.orders.len() as u64, open));
    put(&mut hasher, &core.venue.in_flight.iter().collect::<Vec<_>>());
    put(&mut hasher, &core.venue.resting.iter().flatten().collect::<Vec<_>>());
    put(&mut hasher, &core.venue.stops.iter().flatten().collect::<Vec<_>>());
    put(&mut hasher, &core.schedule.sorted());
    put(
        &mut hasher,
        &(core.is_open, core.mark_is_scheduled, core.is_tape_ended, core.journal_lag, core.schedule_floor),
    );
    put(&mut hasher, &core.tops);
    put(&mut hasher, &core.filled_so_far);
    put(&mut hasher, &(&core.advice, &core.tracked_series, &core.submissions));
    put(&mut hasher, &(&core.settlement_values, &core.closing_prices, &core.settlements));
    if core.is_profile_switched {
        put(&mut hasher, &core.config.profile);
    }
    if !core.depths.is_empty() {
        put(&mut hasher, &core.depths);
    }
    let mut bytes = Vec::new();
    for (strategy, rng, standing) in strategies {
        bytes.clear();
        strategy.save(&mut bytes);
        put(&mut hasher, &(strategy.name(), strategy.version(), standing, &bytes));
        put(&mut hasher, &(rng.get_word_pos(), rng.get_stream()));
    }
    *hasher.finalize().as_bytes()
}
