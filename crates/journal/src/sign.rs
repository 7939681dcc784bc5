//! Signed heads: who vouches for a journal's last hash, and so for every byte before it.
//!
//! Ed25519 over a short canonical text that names run, head, derived hash and counts. Keys are PEM
//! files as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.

use crate::error::JournalError;
use crate::reader::VerifyReport;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// What a signature vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedHead {
    /// Run id, hex.
    pub run_id: String,
    /// Hash of the last block, hex.
    pub head: String,
    /// BLAKE3 over the derived lanes, hex.
    pub derived_hash: String,
    /// Blocks.
    pub blocks: u64,
    /// Inputs and derived events.
    pub events: u64,
    /// Public key, hex.
    pub public_key: String,
    /// Signature, hex.
    pub signature: String,
}

impl SignedHead {
    fn of(run_id: &str, report: &VerifyReport) -> SignedHead {
        SignedHead {
            run_id: run_id.to_string(),
            head: report.head.clone(),
            derived_hash: report.derived_hash.clone(),
            blocks: report.blocks,
            events: report.events,
            public_key: String::new(),
            signature: String::new(),
        }
    }

    /// The bytes that are signed.
    fn statement(&self) -> String {
        format!(
            "onetape signed head 1\nrun {}\nhead {}\nderived {}\nblocks {}\nevents {}\n",
            self.run_id, self.head, self.derived_hash, self.blocks, self.events
        )
    }
}

fn key_error(path: &Path, problem: impl std::fmt::Display) -> JournalError {
    JournalError::Key { path: path.display().to_string(), problem: problem.to_string() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signs the head of a journal that was just verified, with the private key in a PEM file.
///
/// # Errors
/// A key that cannot be read.
pub fn sign_head(run_id: &str, report: &VerifyReport, key: &Path) -> Result<SignedHead, JournalError> {
    let pem = fs::read_to_string(key).map_err(|error| key_error(key, error))?;
    let key = SigningKey::from_pkcs8_pem(&pem).map_err(|error| {
        key_error(
            key,
            format!("no Ed25519 private key ({error}); `openssl genpkey -algorithm ed25519` makes one"),
        )
    })?;
    let head = SignedHead::of(run_id, report);
    let signature = key.sign(head.statement().as_bytes());
    let public_key = hex(key.verifying_key().as_bytes());
    Ok(SignedHead { public_key, signature: hex(&signature.to_bytes()), ..head })
}

/// Checks that the signature file at `signature` vouches, under the public key in a PEM file, for the
/// journal just verified; `Ok(Some(problem))` when it does not.
///
/// # Errors
/// A key or signature file that cannot be read.
pub fn check_signature(
    run_id: &str,
    report: &VerifyReport,
    signature: &Path,
    public_key: &Path,
) -> Result<Option<String>, JournalError> {
    let pem = fs::read_to_string(public_key).map_err(|error| key_error(public_key, error))?;
    let key = VerifyingKey::from_public_key_pem(&pem).map_err(|error| {
        let hint = "`openssl pkey -in KEY -pubout` writes one";
        key_error(public_key, format!("no Ed25519 public key ({error}); {hint}"))
    })?;
    let text = fs::read(signature).map_err(|error| key_error(signature, error))?;
    let signed: SignedHead = serde_json::from_slice(&text)
        .map_err(|error| key_error(signature, format!("no signature file: {error}")))?;
    let unhex = |text: &str| -> Option<Vec<u8>> {
        let digits = text.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).ok());
        digits.map(|two| u8::from_str_radix(two?, 16).ok()).collect()
    };
    let bytes = unhex(&signed.signature).ok_or_else(|| key_error(signature, "its signature is not hex"))?;
    let parsed = Signature::from_slice(&bytes).map_err(|error| key_error(signature, error))?;
    if key.verify_strict(signed.statement().as_bytes(), &parsed).is_err() {
        return Ok(Some("the signature is not of this public key, or its text was changed".to_string()));
    }
    let found = SignedHead::of(run_id, report);
    let is_same = found.statement() == signed.statement();
    Ok((!is_same)
        .then(|| format!("the signature is of head {}, the journal's is {}", signed.head, found.head)))
}
