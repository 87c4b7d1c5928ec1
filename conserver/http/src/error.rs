//! What a status, or no answer at all, means for the vCon that met it.
//!
//! The rule: only what the server says about this body is the document's fault. Wrong credentials, a wrong path or a server
//! that is down concern the server; the vCons wait until somebody has put it right, and none of them is a dead letter for
//! it.
//!
//! | answer | kind | class | may have happened |
//! |---|---|---|---|
//! | 401, 403, 407 | unauthorized | unavailable | no |
//! | 3xx that is not followed, 404, 405, 410, no HTTP | invalid | unavailable | no |
//! | 408 | timeout | retryable | yes |
//! | 409 | conflict | retryable | no |
//! | 413 | too large | permanent | no |
//! | 425 | unavailable | retryable | no |
//! | 429 | rate limited | retryable, when `Retry-After` says | no |
//! | other 4xx | invalid | permanent | no |
//! | 500 | unavailable | retryable | yes |
//! | other 5xx | unavailable | unavailable | yes |
//! | no connection, no such host | unavailable | unavailable | no |
//! | a connection that ends without an answer | unavailable | unavailable | yes |
//! | no answer in time | timeout | retryable | yes |
//!
//! `Retry-After` of 503 is not followed: waiting for what is away is bounded by time and not by attempts, at a pace of its own.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use conserver_core::{Applied, Class, Error, ErrorKind};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

const AGAIN: Class = Class::Retryable { after: None };
/// A server that asks for more has this much; the vCon then asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What an answer with another status than 2xx means. `doing` is method and address.
pub(crate) fn of_status(doing: &str, status: StatusCode, headers: &HeaderMap) -> Error {
    let (kind, class, applied) = meaning(status.as_u16());
    let error =
        Error::new(kind, format!("{doing}: answered {status}{}", advice(status.as_u16()))).class(class);
    match status {
        StatusCode::TOO_MANY_REQUESTS => error.retry_after(retry_after(headers, SystemTime::now())),
        _ => error,
    }
    .applied(applied)
}

/// What a request without an answer means.
pub(crate) fn of_cause(doing: &str, cause: &reqwest::Error, after: Duration) -> Error {
    let error = if cause.is_builder() {
        Error::new(ErrorKind::Invalid, format!("{doing}: this request cannot be made"))
    } else if cause.is_connect() {
        // Nothing of the request has been sent.
        Error::new(ErrorKind::Unavailable, format!("{doing}: no connection"))
    } else if cause.is_timeout() {
        return Error::new(ErrorKind::Timeout, format!("{doing}: no answer within {after:.1?}"));
    } else {
        Error::new(ErrorKind::Unavailable, format!("{doing}: no answer")).applied(Applied::Unknown)
    };
    error.source(innermost(cause))
}

/// What an answer whose body does not come means.
pub(crate) fn of_body(doing: &str, cause: &reqwest::Error) -> Error {
    let kind = if cause.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
    let error = Error::new(kind, format!("{doing}: the answer was cut off")).applied(Applied::Unknown);
    error.source(innermost(cause))
}

fn meaning(status: u16) -> (ErrorKind, Class, Applied) {
    use Applied::{No, Unknown};
    use ErrorKind::{Conflict, Invalid, RateLimited, Timeout, TooLarge, Unauthorized, Unavailable};
    match status {
        401 | 403 | 407 => (Unauthorized, Class::Unavailable, No),
        404 | 405 | 410 => (Invalid, Class::Unavailable, No),
        408 => (Timeout, AGAIN, Unknown),
        409 => (Conflict, AGAIN, No),
        413 => (TooLarge, Class::Permanent, No),
        425 => (Unavailable, AGAIN, No),
        429 => (RateLimited, AGAIN, No),
        400..=499 => (Invalid, Class::Permanent, No),
        500 => (Unavailable, AGAIN, Unknown),
        501..=599 => (Unavailable, Class::Unavailable, Unknown),
        // Redirects, and what is not in the standard: this is not the server that somebody meant.
        _ => (Invalid, Class::Unavailable, No),
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "; look at the credentials in `headers`",
        407 => "; the proxy wants credentials in its URL",
        300..=399 => "; it has moved, put its new address into the configuration",
        404 | 405 | 410 => "; look at the address",
        413 => "; the server takes no document of this size",
        408 | 409 | 425 | 429 => "",
        400..=500 => "; the receiver's log says why",
        _ => "",
    }
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?;
            SystemTime::from(date.timestamp()).duration_since(now).unwrap_or_default()
        }
    };
    Some(asked.min(LONGEST_WAIT))
}

/// What is behind it all; the layers above only say that something failed.
fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn StdError = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    // The client's own text ends with the whole URL.
    if innermost.is::<reqwest::Error>() {
        "the client gives no reason".to_owned()
    } else {
        innermost.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: Class = Class::Unavailable;
    const NEVER: Class = Class::Permanent;

    #[test]
    fn only_what_is_said_about_the_body_is_the_documents_fault() {
        use Applied::{No, Unknown};
        let table = [
            (301, ErrorKind::Invalid, AWAY, No),
            (304, ErrorKind::Invalid, AWAY, No),
            (308, ErrorKind::Invalid, AWAY, No),
            (400, ErrorKind::Invalid, NEVER, No),
            (401, ErrorKind::Unauthorized, AWAY, No),
            (403, ErrorKind::Unauthorized, AWAY, No),
            (404, ErrorKind::Invalid, AWAY, No),
            (405, ErrorKind::Invalid, AWAY, No),
            (407, ErrorKind::Unauthorized, AWAY, No),
            (408, ErrorKind::Timeout, AGAIN, Unknown),
            (409, ErrorKind::Conflict, AGAIN, No),
            (410, ErrorKind::Invalid, AWAY, No),
            (413, ErrorKind::TooLarge, NEVER, No),
            (422, ErrorKind::Invalid, NEVER, No),
            (425, ErrorKind::Unavailable, AGAIN, No),
            (429, ErrorKind::RateLimited, AGAIN, No),
            (500, ErrorKind::Unavailable, AGAIN, Unknown),
            (502, ErrorKind::Unavailable, AWAY, Unknown),
            (503, ErrorKind::Unavailable, AWAY, Unknown),
            (504, ErrorKind::Unavailable, AWAY, Unknown),
            (522, ErrorKind::Unavailable, AWAY, Unknown),
            (999, ErrorKind::Invalid, AWAY, No),
        ];
        for (status, kind, class, applied) in table {
            let status = StatusCode::from_u16(status).unwrap();
            let error = of_status("POST `http://h/`", status, &HeaderMap::new());
            let facts = (error.kind(), error.get_class(), error.get_applied());
            assert_eq!(facts, (kind, class, applied), "{status}");
            assert!(
                error.to_string().starts_with(&format!("POST `http://h/`: answered {status}")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_wait_that_is_asked_for_is_seconds_or_a_date_and_bounded() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_470);
        let asked = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(10));
        assert_eq!(asked("Wed, 21 Oct 2015 07:00:00 GMT"), Some(0));
        assert_eq!(asked("31536000"), Some(3600));
        assert_eq!(asked("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_rate_limit_says_when_to_come_back() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "7".parse().unwrap())]);
        let error = of_status("POST `http://h/`", StatusCode::TOO_MANY_REQUESTS, &headers);
        assert_eq!(error.get_class(), Class::Retryable { after: Some(Duration::from_secs(7)) });
    }
}
