//! From the driver's errors to ours, in one place. Whatever the file says about itself is waited for: no vCon is to
//! blame for a full disk.

use conserver_core::{Applied, Class, Error, ErrorKind};

/// An error of the driver while doing this.
pub(crate) fn classify(doing: &str, error: sqlx::Error) -> Error {
    let (kind, says, applied) = describe(&error);
    Error::new(kind, says).class(Class::Unavailable).applied(applied).source(error).context(doing)
}

/// Whether somebody else holds the file right now.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(5 | 6))
}

/// The same error for another caller: the transaction that failed was everybody's.
pub(crate) fn shared(error: &Error) -> Error {
    Error::new(error.kind(), error.chain()).class(error.get_class()).applied(error.get_applied())
}

/// The primary result code of SQLite.
fn code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

fn describe(error: &sqlx::Error) -> (ErrorKind, &'static str, Applied) {
    use ErrorKind::{Internal, Unauthorized, Unavailable};
    match (error, code(error)) {
        (_, Some(5 | 6)) => (Unavailable, "another process holds the database", Applied::No),
        (_, Some(13)) => (Unavailable, "the disk is full", Applied::No),
        (_, Some(8)) => (Unavailable, "the database is read-only for this process", Applied::No),
        (_, Some(3 | 23)) => (Unauthorized, "the system does not let us at the database", Applied::No),
        (_, Some(14)) => (Unavailable, "cannot open the database file", Applied::No),
        (_, Some(10)) => (Unavailable, "the disk failed to read or write the database", Applied::Unknown),
        (_, Some(11)) => (Internal, "the database is damaged: restore a copy of it", Applied::No),
        (_, Some(26)) => (Internal, "the file is no SQLite database", Applied::No),
        (sqlx::Error::Io(_), _) => (Unavailable, "cannot reach the database file", Applied::No),
        (sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed, _) => {
            (Unavailable, "no connection to the database is free", Applied::Unknown)
        }
        _ => (Internal, "the database refused a statement", Applied::No),
    }
}
