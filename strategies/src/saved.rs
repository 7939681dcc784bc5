//! Saving and restoring a strategy's fields as bytes.
//!
//! Fixed-size integers, little-endian; every byte must be consumed on loading.

use onetape_engine::strategy::StateError;
use serde::{Serialize, de::DeserializeOwned};

/// Bytes a saved strategy may take.
const LIMIT: usize = 16 << 20;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_fixed_int_encoding().with_limit::<LIMIT>()
}

/// Appends a strategy's fields.
pub(crate) fn save<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    // Plain fields and vectors always encode; a failure would only make `load` refuse the bytes.
    if let Ok(bytes) = bincode::serde::encode_to_vec(value, config()) {
        out.extend_from_slice(&bytes);
    }
}

/// Restores what [`save`] wrote.
pub(crate) fn load<T: DeserializeOwned>(
    bytes: &[u8],
    strategy: &str,
    version: &str,
) -> Result<T, StateError> {
    let unreadable = || StateError { strategy: strategy.to_string(), version: version.to_string() };
    let (value, read) = bincode::serde::decode_from_slice(bytes, config()).map_err(|_| unreadable())?;
    if read == bytes.len() { Ok(value) } else { Err(unreadable()) }
}
