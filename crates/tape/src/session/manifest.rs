//! The manifest: what a session holds, readable without touching its blocks.

use super::SessionError;
use crate::codec::Hash;
use onetape_engine::instrument::InstrumentKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Value of [`Manifest::format`].
pub const FORMAT: &str = "onetape-session";
/// Version of the session folder's layout.
pub const MANIFEST_VERSION: u32 = 1;

/// Who made the session from what, as notes for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Importer {
    /// Importer or generator, for example `lean`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it read, without machine-specific folders.
    pub source: String,
    /// Decisions it took, one sentence each (filters, time stamps, symbol mapping).
    pub policies: Vec<String>,
}

/// Instruments of one root and kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Symbol, of options the class root.
    pub symbol: String,
    /// `equity`, `index`, `future` or `option`.
    pub kind: InstrumentKind,
    /// Symbol of the underlying, of options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underlying: Option<String>,
    /// How many are defined.
    pub instruments: u32,
}

/// Records with a finding and what was done with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingCount {
    /// `keep`, `flag` or `quarantine`.
    pub policy: String,
    /// Records.
    pub records: u64,
}

/// What the writer of a session states about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionMeta {
    /// Name, as printed.
    pub name: String,
    /// Who made it.
    pub importer: Importer,
    /// Fingerprint of sources and options, where the importer has one.
    pub fingerprint: Option<Hash>,
}

impl SessionMeta {
    /// A session of `name` by `importer` of `version`; source and policies can follow.
    pub fn new(name: &str, importer: &str, version: &str) -> SessionMeta {
        SessionMeta {
            name: name.to_string(),
            importer: Importer {
                name: importer.to_string(),
                version: version.to_string(),
                source: String::new(),
                policies: Vec::new(),
            },
            fingerprint: None,
        }
    }
}

/// Contents of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// Name, as printed.
    pub name: String,
    /// The session's identity: hash over `head_hash` and `data_files`.
    pub content_hash: Hash,
    /// Hash of the last block of the chain.
    pub head_hash: Hash,
    /// Blocks.
    pub blocks: u64,
    /// Bytes of the blocks' file.
    pub bytes: u64,
    /// Inputs.
    pub inputs: u64,
    /// Inputs by kind.
    pub inputs_by_kind: BTreeMap<String, u64>,
    /// Rows of the source by its own record types, as the importer counted them.
    pub source_records: BTreeMap<String, u64>,
    /// Receipt time of the first input, UTC nanoseconds.
    pub first_ts: u64,
    /// Receipt time of the last input, UTC nanoseconds.
    pub last_ts: u64,
    /// Instruments defined.
    pub instruments: u32,
    /// Trade dates as yyyymmdd, ascending: of the session phases and those the importer added.
    pub trade_dates: Vec<u32>,
    /// Data files beside the blocks with their hashes.
    pub data_files: BTreeMap<String, Hash>,
    /// Who made it from what.
    pub importer: Importer,
    /// What is defined, by symbol and kind; empty in sessions of before there was a catalog.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<Root>,
    /// Doubtful records the importer met, by finding.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quality: BTreeMap<String, FindingCount>,
    /// Hash over the importer's version, options and source files: equal means there is nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_fingerprint: Option<Hash>,
}

impl Manifest {
    /// The identity of a session with this chain and these data files.
    pub(super) fn content_hash_of(head: &Hash, data_files: &BTreeMap<String, Hash>) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"onetape session\n");
        hasher.update(&head.0);
        for (name, hash) in data_files {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update(&hash.0);
        }
        Hash(*hasher.finalize().as_bytes())
    }

    /// The manifest as pretty JSON with a final newline.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest has only string keys");
        text.push('\n');
        text
    }

    /// Reads and checks a manifest; `path` names it in errors.
    ///
    /// # Errors
    /// No JSON, another format or version, or a content hash that does not fit its parts.
    pub fn from_json(text: &[u8], path: &Path) -> Result<Manifest, SessionError> {
        #[derive(Deserialize)]
        struct Version {
            format: String,
            version: u32,
        }
        let path = path.to_path_buf();
        let malformed = |error: serde_json::Error| error.to_string();
        let version: Version = match serde_json::from_slice(text).map_err(malformed) {
            Ok(version) => version,
            Err(what) => return Err(SessionError::Manifest { path, what }),
        };
        if version.format != FORMAT {
            let what = format!("its format is '{}', '{FORMAT}' expected", version.format);
            return Err(SessionError::Manifest { path, what });
        }
        if version.version != MANIFEST_VERSION {
            return Err(SessionError::Version { path, expected: MANIFEST_VERSION, found: version.version });
        }
        let manifest: Manifest = match serde_json::from_slice(text).map_err(malformed) {
            Ok(manifest) => manifest,
            Err(what) => return Err(SessionError::Manifest { path, what }),
        };
        let expected = Manifest::content_hash_of(&manifest.head_hash, &manifest.data_files);
        if manifest.content_hash != expected {
            let what = format!("its content hash is {}, its parts give {expected}", manifest.content_hash);
            return Err(SessionError::Manifest { path, what });
        }
        Ok(manifest)
    }
}
