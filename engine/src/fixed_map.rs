//! The one hash map the loop may use: a fixed-seed hasher, looked up and never iterated.

use std::hash::{BuildHasherDefault, Hasher};

/// A map whose hashing is the same in every process. Never iterate it: order is not part of any result.
#[allow(clippy::disallowed_types)]
pub(crate) type FixedMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Fnv1a>>;

/// FNV-1a, 64 bit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Fnv1a {
        Fnv1a(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv1a {
    fn finish(&self) -> u64 {
        self.0
    }

    /// Ids: one multiplication whose halves are folded, instead of eight byte by byte.
    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.0 ^ value) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
