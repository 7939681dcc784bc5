//! How a command fails: a message for a person and an exit code for a script.

use onetape_session::RunError;
use onetape_session::settings::SettingsError;
use onetape_tape::import::ImportError;
use onetape_tape::session::SessionError;

/// Exit code of a check that failed.
pub(crate) const CHECK: u8 = 1;
/// Exit code of a wrong command line.
pub(crate) const USAGE: u8 = 2;
/// Exit code of bad input.
pub(crate) const INPUT: u8 = 3;
/// Exit code of a failed read or write.
pub(crate) const IO: u8 = 4;

/// A command's failure.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure { code: USAGE, message: message.into() }
    }

    pub(crate) fn input(message: impl Into<String>) -> Failure {
        Failure { code: INPUT, message: message.into() }
    }

    pub(crate) fn io(path: &std::path::Path, error: &std::io::Error) -> Failure {
        // A missing file is the caller's input; anything else is the machine's.
        let code = if error.kind() == std::io::ErrorKind::NotFound { INPUT } else { IO };
        Failure { code, message: format!("{}: {error}", path.display()) }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        let code = match &error {
            RunError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => INPUT,
            RunError::Io { .. } | RunError::Thread { .. } => IO,
            RunError::UnknownStrategy { .. } => USAGE,
            RunError::NotDerived { .. } | RunError::Books { .. } => CHECK,
            _ => INPUT,
        };
        Failure { code, message: error.to_string() }
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Failure {
        Failure { code: INPUT, message: error.to_string() }
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Failure {
        let code = match &error {
            ImportError::Io { source, .. } if source.kind() != std::io::ErrorKind::NotFound => IO,
            _ => INPUT,
        };
        Failure { code, message: error.to_string() }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Failure {
        Failure { code: INPUT, message: error.to_string() }
    }
}
