//! `onetape strategies`.

use crate::Session;
use crate::failure::Failure;
use crate::report;

pub(crate) fn run(session: &Session<'_>) -> Result<u8, Failure> {
    let mut listed = Vec::new();
    for entry in session.registry.entries() {
        let params =
            session.registry.create(entry.name).map(|strategy| strategy.params()).unwrap_or_default();
        if session.json {
            let params: Vec<_> = params
                .iter()
                .map(|p| serde_json::json!({ "key": p.key, "default": p.value, "doc": p.doc }))
                .collect();
            listed.push(serde_json::json!({ "name": entry.name, "version": entry.version, "doc": entry.doc, "params": params }));
            continue;
        }
        report::line(&format!("{} {} — {}", entry.name, entry.version, entry.doc));
        for param in params {
            let value = if param.value.is_empty() { "''".to_string() } else { param.value.clone() };
            report::line(&format!("    {:<18} {:<12} {}", param.key, value, param.doc));
        }
    }
    if session.json {
        report::json(&listed)?;
    }
    Ok(0)
}
