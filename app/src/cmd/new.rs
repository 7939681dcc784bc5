//! `onetape new NAME`: a strategy crate of one's own.

use crate::failure::Failure;
use crate::report;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the repository was when this program was built.
const BUILT_FROM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  onetape new my-strategy && cd my-strategy && cargo run --release -- replay --strategy my-strategy"
)]
pub(crate) struct NewArgs {
    /// Name of the crate and its strategy.
    pub(crate) name: String,
    /// Folder of the onetape repository to depend on; otherwise the one this program was built from.
    #[arg(long, value_name = "DIR")]
    pub(crate) engine_path: Option<PathBuf>,
}

pub(crate) fn run(args: &NewArgs) -> Result<u8, Failure> {
    let name = &args.name;
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-');
    if !is_name {
        return Err(Failure::usage(format!(
            "'{name}' is no crate name: use lower-case letters, digits and '-', for example my-strategy"
        )));
    }
    let engine = args.engine_path.clone().unwrap_or_else(|| PathBuf::from(BUILT_FROM));
    let engine = engine.canonicalize().map_err(|e| Failure::io(&engine, &e))?;
    if !engine.join("app/Cargo.toml").is_file() {
        return Err(Failure::input(format!(
            "{}: not the onetape repository (no app/Cargo.toml); name it with --engine-path",
            engine.display()
        )));
    }
    let dir = Path::new(name);
    if dir.exists() {
        return Err(Failure::input(format!("{name}: exists already; choose another name or remove it")));
    }
    let partial = PathBuf::from(format!("{name}.partial"));
    let write = |file: &str, text: &str| {
        let path = partial.join(file);
        fs::write(&path, text).map_err(|e| Failure::io(&path, &e))
    };
    fs::create_dir_all(partial.join("src")).map_err(|e| Failure::io(&partial, &e))?;
    write("Cargo.toml", &MANIFEST.replace("NAME", name).replace("ENGINE", &engine.display().to_string()))?;
    write("src/main.rs", &MAIN.replace("NAME", name))?;
    write(".gitignore", "/target\n/runs\n")?;
    // The repository's own lock keeps the versions that its tests passed with.
    let lock = engine.join("Cargo.lock");
    fs::copy(&lock, partial.join("Cargo.lock")).map_err(|e| Failure::io(&lock, &e))?;
    fs::rename(&partial, dir).map_err(|e| Failure::io(dir, &e))?;
    report::line(&format!("wrote {name}/: a strategy that buys when the fast average crosses the slow one"));
    report::line(&format!("next     cd {name} && cargo run --release -- replay --strategy {name}"));
    Ok(0)
}

const MANIFEST: &str = r#"[package]
name = "NAME"
version = "0.1.0"
edition = "2024"
publish = false

[dependencies]
onetape = { path = "ENGINE/app" }

[profile.dev]
opt-level = 1

[profile.release]
overflow-checks = true
panic = "unwind"

[workspace]
"#;

const MAIN: &str = include_str!("new_main.rs.txt");
