//! Exit codes, one meaning each.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Ok = 0,
    /// It failed; the message says why.
    Failed = 1,
    /// The command line cannot be used (clap's own code).
    Usage = 2,
    /// What was asked for is not there.
    NotFound = 3,
    /// A server that is needed cannot be reached.
    Unavailable = 69,
    /// The configuration has errors (`EX_CONFIG`).
    Config = 78,
    /// A worker ended itself because a link blocked a thread past its deadline. Not a crash.
    Stuck = 86,
    /// A worker ended itself because it had been recovered by others. It comes back under a new id.
    Recovered = 87,
}

impl Exit {
    /// The number the system sees.
    pub fn code(self) -> i32 {
        i32::from(self as u8)
    }

    /// Ends this process here and now, once its log is written: for those who cannot return.
    pub(crate) fn now(self) -> ! {
        crate::log::flush();
        std::process::exit(self.code())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
