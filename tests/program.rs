//! The `onetape` program under another name.
use std::process::ExitCode;

fn main() -> ExitCode {
    onetape::main_with(onetape::Registry::builtin())
}
