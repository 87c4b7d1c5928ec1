//! Where Redis is: one server, or a set of Sentinels that know the master.
//!
//! | address | meaning |
//! |---|---|
//! | `redis://[user:password@]host[:port][/db]` | one server |
//! | `rediss://…[?ssl_ca_certs=FILE]` | the same over TLS; without the file the system's roots are trusted |
//! | `unix:///path/to/socket[?db=N]` | one server over a socket |
//! | `redis+sentinel://[user:password@]host:port,host:port…/master[/db]` | the master that these Sentinels name |
//! | `rediss+sentinel://…[?ssl_ca_certs=FILE]` | the same, the server itself over TLS |
//!
//! No address is ever printed whole: it may hold a password.

use conserver_core::{Error, ErrorKind, Result, Secret};
use percent_encoding::percent_decode_str;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{Client, IntoConnectionInfo, TlsCertificates, TlsMode};
use url::form_urlencoded;

use crate::error::classify;

/// How to find the server, ready to connect.
pub(crate) enum Address {
    /// One server.
    Direct(Box<Client>),
    /// Ask these Sentinels each time a connection is made.
    Sentinel(Box<SentinelClient>),
}

impl Address {
    /// Reads an address. Fails only on its form; nothing is connected.
    pub(crate) fn parse(address: &Secret) -> Result<Self> {
        let text = address.expose();
        match text.split_once("+sentinel://") {
            Some(("redis", rest)) => sentinel(rest, false),
            Some(("rediss", rest)) => sentinel(rest, true),
            Some(_) => {
                Err(invalid("a Sentinel address begins with `redis+sentinel://` or `rediss+sentinel://`"))
            }
            None => direct(text),
        }
    }
}

/// Whether an address can be used, by its form alone: nothing is connected.
///
/// # Errors
/// `Invalid`, with what is wrong and never the address.
pub fn check_address(address: &Secret) -> Result<()> {
    Address::parse(address).map(drop)
}

/// The address without credentials, for people.
pub fn shown(address: &Secret) -> String {
    let text = address.expose();
    let Some((scheme, rest)) = text.split_once("://") else { return "<unreadable address>".to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    let path = rest[end..].split('?').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

fn direct(text: &str) -> Result<Address> {
    let (text, ca) = without_ca(text)?;
    let info = text.as_str().into_connection_info().map_err(|e| classify("read the Redis address", e))?;
    let client = match ca {
        None => Client::open(info),
        Some(pem) => Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(pem) }),
    };
    let client = client.map_err(|e| classify("read the Redis address", e))?;
    Ok(Address::Direct(Box::new(client)))
}

/// Takes `ssl_ca_certs=FILE` (the Python client's spelling) off the query and reads the file.
fn without_ca(text: &str) -> Result<(String, Option<Vec<u8>>)> {
    if !text.starts_with("rediss://") {
        return Ok((text.to_owned(), None));
    }
    let mut url = url::Url::parse(text).map_err(|_| invalid("the Redis address is no URL"))?;
    let (ca, kept) = certificates(url.query().unwrap_or_default())?;
    let kept: Vec<String> = kept.iter().map(|(key, value)| format!("{key}={value}")).collect();
    url.set_query((!kept.is_empty()).then(|| kept.join("&")).as_deref());
    Ok((url.to_string(), ca))
}

/// Keys and values of a query.
type Pairs = Vec<(String, String)>;

/// The CA that a query names, and the rest of the query.
fn certificates(query: &str) -> Result<(Option<Vec<u8>>, Pairs)> {
    let mut ca = None;
    let mut kept = Vec::new();
    for (key, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
        match key.as_str() {
            "ssl_ca_certs" => {
                let pem = std::fs::read(&value).map_err(|e| {
                    invalid(&format!("cannot read the CA file `{value}` of the Redis address: {e}"))
                })?;
                ca = Some(pem);
            }
            "ssl_cert_reqs" if value == "none" => {
                return Err(invalid(
                    "`ssl_cert_reqs=none` is not supported: name the server's CA with `ssl_ca_certs=FILE`",
                ));
            }
            "ssl_cert_reqs" => {}
            _ => kept.push((key, value)),
        }
    }
    Ok((ca, kept))
}

fn sentinel(rest: &str, tls: bool) -> Result<Address> {
    let (credentials, rest) = match rest.rsplit_once('@') {
        Some((credentials, rest)) => (Some(credentials), rest),
        None => (None, rest),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut parts = rest.splitn(3, '/');
    let hosts = parts.next().unwrap_or_default();
    let master = parts.next().filter(|m| !m.is_empty());
    let master = master.ok_or_else(|| invalid("a Sentinel address names the master: `…/mymaster`"))?;
    let mut db = parts.next().filter(|d| !d.is_empty()).unwrap_or("0").to_owned();
    let (ca, more) = certificates(query)?;
    for (key, value) in more {
        match key.as_str() {
            "db" => db = value,
            _ => return Err(invalid(&format!("a Sentinel address takes no `{key}`"))),
        }
    }
    let db = db.parse().map_err(|_| invalid("the database of a Sentinel address is a number"))?;

    let mut nodes = Vec::new();
    for host in hosts.split(',').map(str::trim).filter(|host| !host.is_empty()) {
        let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
        let node = if has_port { format!("redis://{host}") } else { format!("redis://{host}:26379") };
        let node = node.into_connection_info().map_err(|e| classify("read the Sentinel address", e))?;
        nodes.push(node.addr().clone());
    }
    if nodes.is_empty() {
        return Err(invalid("a Sentinel address names at least one Sentinel"));
    }
    let built = SentinelClientBuilder::new(nodes, master, SentinelServerType::Master);
    let mut built = built.map_err(|e| classify("read the Sentinel address", e))?.set_client_to_redis_db(db);
    if let Some(credentials) = credentials {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = credentials.split_once(':').unwrap_or(("", credentials));
        if !user.is_empty() {
            built = built.set_client_to_redis_username(decoded(user));
        }
        built = built.set_client_to_redis_password(decoded(password));
    }
    if tls {
        built = built.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(pem) = ca {
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
        built = built.set_client_to_redis_certificates(certificates);
    }
    let client = built.build().map_err(|e| classify("read the Sentinel address", e))?;
    Ok(Address::Sentinel(Box::new(client)))
}

fn invalid(says: &str) -> Error {
    Error::new(ErrorKind::Invalid, says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for text in [
            "redis://localhost",
            "redis://user:secret@host:6380/2",
            "rediss://host",
            "unix:///run/redis.sock?db=1",
            "redis+sentinel://:secret@a:26379,b/mymaster/1",
            "redis+sentinel://user:s%40cr%2Ft@[::1], [::1]:26380/mymaster?db=1",
        ] {
            assert!(Address::parse(&Secret::new(text)).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_bad_form_says_what_is_missing() {
        let error = |text: &str| Address::parse(&Secret::new(text)).err().unwrap().chain();
        assert!(error("redis+sentinel://a:1").contains("names the master"));
        assert!(error("redis+sentinel://a:1/m?x=1").contains("takes no `x`"));
        assert!(error("rediss+sentinel://a:1/m/0?ssl_ca_certs=/no/such/file").contains("/no/such/file"));
        assert!(error("rediss://host?ssl_cert_reqs=none").contains("ssl_ca_certs=FILE"));
        assert!(error("rediss://host?ssl_ca_certs=/no/such/file").contains("/no/such/file"));
    }

    #[test]
    fn the_password_is_never_shown() {
        assert_eq!(shown(&Secret::new("redis://user:secret@host:6380/2")), "redis://host:6380/2");
        assert_eq!(
            shown(&Secret::new("redis+sentinel://:secret@a:1,b:2/mymaster")),
            "redis+sentinel://a:1,b:2/mymaster"
        );
    }
}
