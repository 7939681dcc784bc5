//! The `onetape` program.
use std::process::ExitCode;

fn main() -> ExitCode {
    onetape::main_with(onetape::Registry::builtin())
}
