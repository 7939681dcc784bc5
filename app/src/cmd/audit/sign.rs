//! `onetape audit sign`.

use super::RunArg;
use super::export::signature_of;
use crate::Session;
use crate::failure::{CHECK, Failure};
use crate::report;
use clap::Args;
use onetape_journal::sign_head;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  openssl genpkey -algorithm ed25519 -out key.pem\n  openssl pkey -in key.pem -pubout -out public.pem\n  onetape audit sign 3f2a --key key.pem\n  onetape audit verify 3f2a --public-key public.pem"
)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    run: RunArg,
    /// Ed25519 private key (PEM).
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the signature goes [default: head.sig in the run folder].
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

pub(crate) fn run(args: &SignArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let run = args.run.find()?;
    let reader = args.run.open()?;
    let report = reader.verify();
    if !report.ok {
        return Err(Failure { code: CHECK, message: format!("not signed: {}", report.message) });
    }
    let signed = sign_head(&reader.header().run_id, &report, &args.key)?;
    let place = args.signature.clone().unwrap_or_else(|| signature_of(&run));
    let text = serde_json::to_string_pretty(&signed).map_err(|error| Failure::input(error.to_string()))?;
    std::fs::write(&place, text + "\n").map_err(|error| Failure::io(&place, &error))?;
    if session.json {
        report::json(&signed)?;
    } else {
        report::line(&format!("signed head {}", signed.head));
        report::line(&format!("by {} in {}", signed.public_key, place.display()));
    }
    Ok(0)
}
