//! Where Redis is: one server, or a set of Sentinels that know the master.
//!
//! | address | meaning |
//! |---|---|
//! | `redis://[user:password@]host[:port][/db]` | one server |
//! | `rediss://…[?ssl_ca_certs=FILE]` | the same over TLS; without the file the system's roots are trusted |
//! | `unix:///path/to/socket[?db=N]` | one server over a socket |
//! | `redis+sentinel://[user:password@]host:port,host:port…/master[/db]` | the master that these Sentinels name |
//! | `rediss+sentinel://…` | the same, the server itself over TLS |
//!
//! No address is ever printed whole: it may hold a password.

use conserver_core::{Error, ErrorKind, Result, Secret};
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{Client, IntoConnectionInfo, RedisConnectionInfo, TlsCertificates, TlsMode};

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
    let mut ca = None;
    let mut kept = Vec::new();
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "ssl_ca_certs" => {
                let pem = std::fs::read(value.as_ref()).map_err(|e| {
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
            _ => kept.push(format!("{key}={value}")),
        }
    }
    url.set_query((!kept.is_empty()).then(|| kept.join("&")).as_deref());
    Ok((url.to_string(), ca))
}

fn sentinel(rest: &str, tls: bool) -> Result<Address> {
    let (credentials, rest) = match rest.rsplit_once('@') {
        Some((credentials, rest)) => (Some(credentials), rest),
        None => (None, rest),
    };
    let mut parts = rest.splitn(3, '/');
    let hosts = parts.next().unwrap_or_default();
    let master = parts.next().filter(|m| !m.is_empty());
    let master = master.ok_or_else(|| invalid("a Sentinel address names the master: `…/mymaster`"))?;
    let db = parts.next().filter(|d| !d.is_empty()).unwrap_or("0");
    let db: i64 = db.parse().map_err(|_| invalid("the database of a Sentinel address is a number"))?;

    let nodes: Vec<String> = hosts
        .split(',')
        .filter(|h| !h.is_empty())
        .map(|h| if h.contains(':') { format!("redis://{h}") } else { format!("redis://{h}:26379") })
        .collect();
    if nodes.is_empty() {
        return Err(invalid("a Sentinel address names at least one Sentinel"));
    }
    let mut server = RedisConnectionInfo::default().set_db(db);
    if let Some(credentials) = credentials {
        let (user, password) = credentials.split_once(':').unwrap_or(("", credentials));
        if !user.is_empty() {
            server = server.set_username(user);
        }
        server = server.set_password(password);
    }
    let mut node = SentinelNodeConnectionInfo::default().set_redis_connection_info(server);
    if tls {
        node = node.set_tls_mode(TlsMode::Secure);
    }
    SentinelClient::build(nodes, master, Some(node), SentinelServerType::Master)
        .map(|client| Address::Sentinel(Box::new(client)))
        .map_err(|e| classify("read the Sentinel address", e))
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
        ] {
            assert!(Address::parse(&Secret::new(text)).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_bad_form_says_what_is_missing() {
        let error = |text: &str| Address::parse(&Secret::new(text)).err().unwrap().chain();
        assert!(error("redis+sentinel://a:1").contains("names the master"));
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
