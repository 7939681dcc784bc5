//! Texts that people and other programs write: settings, scripts, manifests, parameters, numbers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use onetape_engine::num::{Money, Price, Qty};
use onetape_journal::Point;
use onetape_session::settings::Settings;
use onetape_strategies::Registry;
use onetape_tape::session::Manifest;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    onetape_fuzz::let_guards_work();
    let Some((&mode, bytes)) = data.split_first() else { return };
    Manifest::from_json(bytes, Path::new("manifest.json")).ok();
    let registry = Registry::builtin();
    let names = registry.names();
    let name = names[usize::from(mode) % names.len()];
    let mut strategy = registry.create(name).expect("a listed strategy");
    strategy.load(bytes).ok();
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    Settings::parse(text).ok();
    if let Ok(price) = text.parse::<Price>() {
        assert_eq!(price.to_string().parse(), Ok(price));
    }
    if let Ok(quantity) = text.parse::<Qty>() {
        assert_eq!(quantity.to_string().parse(), Ok(quantity));
    }
    text.parse::<Money>().ok();
    text.parse::<Point>().ok();
    let mut strategy = registry.create(name).expect("a listed strategy");
    if let Some((key, value)) = text.split_once('=') {
        strategy.set(key, value).ok();
    }
    let keys = strategy.params();
    if let Some(param) = keys.get(usize::from(mode) % keys.len().max(1)) {
        strategy.set(&param.key, text).ok();
    }
    if let Some(mut script) = registry.create("script") {
        script.set("script", text).ok();
    }
});
