//! What an error of the server means for the vCon that met it.
//!
//! The rule: only what the server says about the *key* is the vCon's fault. Wrong credentials, missing rights and a
//! server that is too old concern the server; the vCons wait until somebody has put it right. `conserver-redis` has told
//! what the error is already; here is what follows from it.

use conserver_core::{Class, Error, ErrorKind};

/// What servers before 6.2 say to an option or a command that they do not know.
const TOO_OLD: &[&str] = &["syntax error", "unknown command"];

/// An error of the client, as one about the vCon.
pub(crate) fn about_vcon(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unauthorized => error.class(Class::Unavailable),
        ErrorKind::Internal if is_too_old(&error) => {
            error.class(Class::Unavailable).context("the storage needs Redis 6.2 or newer, or Valkey")
        }
        // Unknown: tried again, but not for ever.
        ErrorKind::Internal => error.class(Class::Retryable { after: None }),
        _ => error,
    }
}

/// A vCon that is larger than the options allow.
pub(crate) fn too_large(size: usize, limit: u64) -> Error {
    let message = format!("the vCon has {size} bytes and `max_size` is {limit}; raise it to keep such vCons");
    Error::new(ErrorKind::TooLarge, message)
}

fn is_too_old(error: &Error) -> bool {
    let says = error.chain();
    TOO_OLD.iter().any(|words| says.contains(words))
}

#[cfg(test)]
mod tests {
    use conserver_redis::classify;

    use super::*;

    #[test]
    fn only_the_key_is_the_vcons_fault() {
        const AGAIN: Class = Class::Retryable { after: None };
        let table = [
            ("WRONGTYPE", "Operation against a key", ErrorKind::WrongType, Class::Permanent),
            ("NOAUTH", "Authentication required.", ErrorKind::Unauthorized, Class::Unavailable),
            ("WRONGPASS", "invalid username-password pair", ErrorKind::Unauthorized, Class::Unavailable),
            ("NOPERM", "no permissions to run 'set'", ErrorKind::Unauthorized, Class::Unavailable),
            ("OOM", "used memory > 'maxmemory'", ErrorKind::Unavailable, Class::Unavailable),
            ("MISCONF", "cannot save", ErrorKind::Unavailable, Class::Unavailable),
            ("READONLY", "a read only replica", ErrorKind::Unavailable, Class::Unavailable),
            ("NOREPLICAS", "Not enough good replicas", ErrorKind::Unavailable, Class::Unavailable),
            ("LOADING", "loading the dataset", ErrorKind::Unavailable, Class::Unavailable),
            ("MOVED", "3999 127.0.0.1:6381", ErrorKind::Unavailable, Class::Unavailable),
            ("ERR", "syntax error", ErrorKind::Internal, Class::Unavailable),
            ("ERR", "unknown command 'GETDEL'", ErrorKind::Internal, Class::Unavailable),
            ("ERR", "nobody knows", ErrorKind::Internal, AGAIN),
        ];
        for (code, detail, kind, class) in table {
            let answer = redis::make_extension_error(code.to_owned(), Some(detail.to_owned()));
            let error = about_vcon(classify("save", answer));
            assert_eq!((error.kind(), error.get_class()), (kind, class), "{code} {detail}");
        }
    }
}
