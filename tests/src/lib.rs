//! What the whole-system tests share: where reference data lies, and how to run a session.
//!
//! Reference data is not part of the repository. Tests look for it in the folder that
//! `ONETAPE_SHARED` names, else beside the checkout, and say so in one line when it is absent.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::missing_panics_doc)]

use onetape_engine::config::StrategyConfig;
use onetape_session::settings::{ParamValue, Settings};
use onetape_session::{ReplayRequest, RunSummary, create_strategy, replay};
use onetape_strategies::Registry;
use onetape_tape::session::SessionReader;
use std::path::{Path, PathBuf};

/// The reference data's folder, when there.
pub fn shared(what: &str) -> Option<PathBuf> {
    let named = std::env::var_os("ONETAPE_SHARED").map(PathBuf::from);
    let root = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let path = root.join(what);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there (set ONETAPE_SHARED)", path.display());
    None
}

/// Replays a session with a strategy and parameters into `out`.
pub fn run(session: &Path, settings: &Settings, out: &Path) -> RunSummary {
    let reader = SessionReader::open(session).unwrap();
    let mut strategy = create_strategy(&Registry::builtin(), &settings.strategy.name).unwrap();
    for (key, value) in &settings.strategy.params {
        strategy.set(key, &value.to_string()).unwrap();
    }
    let config = StrategyConfig {
        name: settings.strategy.name.clone(),
        version: strategy.version().to_string(),
        params: strategy.params().into_iter().map(|p| (p.key.to_string(), p.value)).collect(),
    };
    let config = settings.to_config(&reader.manifest().content_hash.to_string(), config);
    replay(ReplayRequest { reader, settings, config, strategy, out }, &mut |_| {}).unwrap()
}

/// Settings for a strategy with parameters.
pub fn settings(strategy: &str, params: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    settings.strategy.name = strategy.to_string();
    for (key, value) in params {
        settings.strategy.params.insert((*key).to_string(), ParamValue::Text((*value).to_string()));
    }
    settings
}
