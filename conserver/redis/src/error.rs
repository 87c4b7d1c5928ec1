//! From the driver's error to ours: the one place.
//!
//! Redis' own troubles (`OOM`, `MISCONF`, `BUSY`, `LOADING`, `READONLY` and their like) are the server's state,
//! not the document's fault: `Unavailable`, so that a worker waits and says so and nothing is dead-lettered.

use conserver_core::{Applied, Error, ErrorKind};
use redis::{RedisError, ServerErrorKind};

/// Server states that pass, by their code.
const PASSING: &[(&str, &str)] = &[
    ("OOM", "Redis is out of memory (raise `maxmemory` or free some)"),
    ("MISCONF", "Redis cannot write to its disk (see its log)"),
    ("BUSY", "Redis is busy with a long script"),
    ("LOADING", "Redis is loading its data"),
    ("READONLY", "this Redis is a replica"),
    ("NOREPLICAS", "Redis has too few replicas to accept writes"),
    ("MASTERDOWN", "this Redis replica has lost its master"),
    ("CLUSTERDOWN", "the Redis cluster is down"),
    ("MOVED", "this Redis is one of a cluster, which is not supported"),
    ("ASK", "this Redis is one of a cluster, which is not supported"),
    ("TRYAGAIN", "Redis asks to try again"),
    ("UNKILLABLE", "Redis is busy with a script that wrote"),
];

/// Classifies a driver error; `doing` is a verb phrase.
pub fn classify(doing: &str, error: RedisError) -> Error {
    let (kind, message, applied) = describe(&error);
    let told = Error::new(kind, message).applied(applied).context(doing);
    // What the system says of a time that ran out (`Resource temporarily unavailable`) misleads.
    if error.is_timeout() { told } else { told.source(error) }
}

/// Whether the connection it came from is of no more use.
pub(crate) fn breaks_connection(error: &RedisError) -> bool {
    let replica = matches!(error.code(), Some("READONLY" | "MASTERDOWN"));
    replica || error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error()
}

fn describe(error: &RedisError) -> (ErrorKind, String, Applied) {
    // A script's error carries the code of the command that failed inside it in its text.
    let code = error.code().unwrap_or_default();
    let text = error.detail().unwrap_or_default();
    if let Some((_, says)) = PASSING.iter().find(|(c, _)| *c == code || text.starts_with(*c)) {
        return (ErrorKind::Unavailable, (*says).to_owned(), Applied::No);
    }
    if error.is_timeout() {
        return (ErrorKind::Unavailable, "Redis did not answer in time".to_owned(), Applied::Unknown);
    }
    if error.is_connection_refusal() {
        return (ErrorKind::Unavailable, "cannot reach Redis".to_owned(), Applied::No);
    }
    if error.is_io_error() && error.to_string().contains("certificate") {
        let says = "the certificate of Redis is not trusted (name its authority with `ssl_ca_certs=FILE`)";
        return (ErrorKind::Unauthorized, says.to_owned(), Applied::No);
    }
    if error.is_io_error() || error.is_connection_dropped() {
        return (ErrorKind::Unavailable, "lost the connection to Redis".to_owned(), Applied::Unknown);
    }
    if code == "WRONGTYPE" || text.contains("WRONGTYPE") {
        return (
            ErrorKind::WrongType,
            "a Redis key holds another type than it has to".to_owned(),
            Applied::No,
        );
    }
    match error.kind() {
        redis::ErrorKind::AuthenticationFailed => refused(),
        redis::ErrorKind::Server(ServerErrorKind::NoPerm) => refused(),
        _ if matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM") => refused(),
        redis::ErrorKind::MasterNameNotFoundBySentinel | redis::ErrorKind::NoValidReplicasFoundBySentinel => {
            (ErrorKind::Unavailable, "Sentinel knows no such master".to_owned(), Applied::No)
        }
        redis::ErrorKind::InvalidClientConfig => {
            (ErrorKind::Invalid, "the Redis address cannot be used".to_owned(), Applied::No)
        }
        _ => (ErrorKind::Internal, "Redis refused a command".to_owned(), Applied::No),
    }
}

fn refused() -> (ErrorKind, String, Applied) {
    (ErrorKind::Unauthorized, "Redis refused our credentials or rights".to_owned(), Applied::No)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::make_extension_error;

    #[test]
    fn each_server_state_has_its_kind() {
        let table = [
            ("OOM", "command not allowed when used memory > 'maxmemory'", ErrorKind::Unavailable),
            ("MISCONF", "Redis is configured to save RDB snapshots", ErrorKind::Unavailable),
            ("BUSY", "Redis is busy running a script", ErrorKind::Unavailable),
            ("LOADING", "Redis is loading the dataset in memory", ErrorKind::Unavailable),
            ("READONLY", "You can't write against a read only replica", ErrorKind::Unavailable),
            ("MOVED", "3999 127.0.0.1:6381", ErrorKind::Unavailable),
            ("WRONGTYPE", "Operation against a key", ErrorKind::WrongType),
            ("ERR", "WRONGTYPE Operation against a key script: 1", ErrorKind::WrongType),
            ("NOAUTH", "Authentication required.", ErrorKind::Unauthorized),
            ("WRONGPASS", "invalid username-password pair", ErrorKind::Unauthorized),
            ("ERR", "unknown command", ErrorKind::Internal),
        ];
        for (code, detail, kind) in table {
            let error = make_extension_error(code.to_owned(), Some(detail.to_owned()));
            assert_eq!(classify("claim", error).kind(), kind, "{code} {detail}");
        }
    }

    #[test]
    fn a_refused_connection_is_unavailable_and_surely_not_applied() {
        let io = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = classify("claim", RedisError::from(io));
        assert_eq!((error.kind(), error.get_applied()), (ErrorKind::Unavailable, Applied::No));
    }
}
