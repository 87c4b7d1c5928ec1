//! What an error of the driver or the server means for the vCon that met it.
//!
//! The rule: only what the server says about the *data* is the document's fault. A wrong password, an unknown
//! database, a table that is not ours or a full disk concern the server; the vCons wait until somebody has put it
//! right. Messages about data are left out, for they quote it.

use std::error::Error as StdError;

use conserver_core::{Applied, Class, Error, ErrorKind};

const AWAY: (ErrorKind, Class) = (ErrorKind::Unavailable, Class::Unavailable);
const REFUSED: (ErrorKind, Class) = (ErrorKind::Unauthorized, Class::Unavailable);
const BAD_DATA: (ErrorKind, Class) = (ErrorKind::Invalid, Class::Permanent);
const AGAIN: Class = Class::Retryable { after: None };

/// Classifies an error of the driver; `doing` is a verb with its object: `save`.
pub(crate) fn classify(doing: &str, error: sqlx::Error) -> Error {
    use sqlx::Error as E;
    match error {
        E::Database(answer) => {
            let code = answer.code().unwrap_or_default();
            let (kind, class) = of_code(&code);
            let says = if kind == ErrorKind::Invalid {
                format!("cannot {doing}: the server refuses the data (code {code})")
            } else {
                format!("cannot {doing}: {} (code {code})", answer.message())
            };
            // The whole statement was undone.
            Error::new(kind, says).class(class).applied(Applied::No)
        }
        E::PoolTimedOut => {
            let says = format!(
                "cannot {doing}: no connection was free within `connect_timeout`: all of `pool_size` are in use"
            );
            Error::new(ErrorKind::Unavailable, says)
        }
        E::Tls(cause) => away(doing, "no encrypted connection", cause),
        E::Io(cause) => away(doing, "connection lost or not made", cause),
        E::Encode(cause) => {
            Error::new(ErrorKind::Invalid, format!("cannot {doing}: no value for a column")).source(cause)
        }
        // The rest is about the connection, too: protocol, closed pool, crashed worker.
        other => away(doing, "connection unusable", other),
    }
}

fn away(doing: &str, says: &str, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    let error = Error::new(ErrorKind::Unavailable, format!("cannot {doing}: {says}"));
    error.applied(Applied::Unknown).source(cause)
}

/// What an SQLSTATE means: the first two characters are its class.
fn of_code(code: &str) -> (ErrorKind, Class) {
    match code {
        UNDEFINED_TABLE => AWAY,
        "42501" => REFUSED,
        // Cancelled, mostly by the statement timeout.
        "57014" => (ErrorKind::Timeout, AGAIN),
        // Not ready for it at this moment: a lock that is not free, an object in use.
        "55P03" | "55006" => (ErrorKind::Conflict, AGAIN),
        _ => match code.get(..2).unwrap_or_default() {
            "28" => REFUSED,
            "22" | "23" | "54" => BAD_DATA,
            "40" => (ErrorKind::Conflict, AGAIN),
            // The table is not one of ours: a column missing, another type. Or a pooler gave us a statement of others.
            "42" | "26" => (ErrorKind::Misconfigured, Class::Unavailable),
            "08" | "25" | "3D" | "3F" | "53" | "55" | "57" | "58" | "XX" | "F0" => AWAY,
            // Unknown: tried again, but not for ever.
            _ => (ErrorKind::Internal, AGAIN),
        },
    }
}

/// The code for a table that is not there.
pub(crate) const UNDEFINED_TABLE: &str = "42P01";

/// The code for a value that another row has.
pub(crate) const UNIQUE_VIOLATION: &str = "23505";

/// The code for a statement that the server ended because others waited for it as it did for them.
pub(crate) const DEADLOCK: &str = "40P01";

/// Whether an error has one of these codes.
pub(crate) fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|answer| answer.code());
    code.is_some_and(|code| codes.contains(&&*code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_data_is_the_documents_fault() {
        let table = [
            ("28P01", "wrong password", REFUSED),
            ("28000", "no such user", REFUSED),
            ("42501", "no privilege", REFUSED),
            ("3D000", "no such database", AWAY),
            ("08006", "connection failure", AWAY),
            ("57P01", "shut down", AWAY),
            ("57P03", "starting up", AWAY),
            ("53300", "too many connections", AWAY),
            ("53100", "disk full", AWAY),
            ("25006", "read-only", AWAY),
            ("55000", "takes no connections", AWAY),
            ("58030", "i/o error", AWAY),
            ("42P01", "no such table", AWAY),
            ("42703", "no such column", (ErrorKind::Misconfigured, Class::Unavailable)),
            ("40001", "not serializable", (ErrorKind::Conflict, AGAIN)),
            ("40P01", "deadlock", (ErrorKind::Conflict, AGAIN)),
            ("55P03", "locked", (ErrorKind::Conflict, AGAIN)),
            ("57014", "statement timeout", (ErrorKind::Timeout, AGAIN)),
            ("22P05", "a character that the encoding lacks", BAD_DATA),
            ("22003", "number out of range", BAD_DATA),
            ("23502", "null in a column that takes none", BAD_DATA),
            ("54000", "larger than the server's limits", BAD_DATA),
            ("ZZ999", "nobody knows", (ErrorKind::Internal, AGAIN)),
            ("", "no code", (ErrorKind::Internal, AGAIN)),
        ];
        for (code, what, expected) in table {
            assert_eq!(of_code(code), expected, "{code}: {what}");
        }
    }

    #[test]
    fn a_lost_connection_leaves_open_whether_it_happened() {
        let error = classify("save", sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()));
        assert!(error.is_unavailable());
        assert_eq!(error.get_applied(), Applied::Unknown);
        let error = classify("save", sqlx::Error::PoolTimedOut);
        assert!(error.is_unavailable());
        assert_eq!(error.get_applied(), Applied::No);
    }
}
