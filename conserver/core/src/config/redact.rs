//! What may be shown of a configuration: stars where a secret stands.
//!
//! A value is masked if its key reads like that of a secret, if it came from a variable or a file, or where it is the
//! credentials in a URL.

use serde_json::{Map, Value};

use super::yaml::{Content, Node};
use crate::secret::MASK;

/// Parts of key names that say that the value is a secret.
const PATTERNS: &[&str] =
    &["key", "token", "secret", "password", "passwd", "credential", "proxy_url", "authorization", "cookie"];

/// Whether a key reads like that of a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    name == "send_ai_usage_data_to_url" || PATTERNS.iter().any(|pattern| name.contains(pattern))
}

/// Options with their secrets masked by name, for what links record about themselves and for logs.
pub fn options(value: &Value) -> Value {
    masked(&Node::from(value))
}

/// A URL with its password, and secrets in its query, masked; any other text as it is.
pub fn url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        // A user without a password can be a token too.
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:{MASK}@{host}"),
            None => format!("{MASK}@{host}"),
        },
        None => authority.to_owned(),
    };
    let (path, query) = tail.split_once('?').map_or((tail, None), |(path, query)| (path, Some(query)));
    let query = query.map_or_else(String::new, |query| {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret_name(name) => format!("{name}={MASK}"),
            _ => pair.to_owned(),
        });
        format!("?{}", pairs.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{authority}{path}{query}")
}

/// Places of a file whose names read like those of secrets although they hold none: who has which key may be seen, but
/// not the key, and the key of TLS is a path.
const SHOWN: &[&[&str]] = &[&["api", "keys"], &["api", "tls", "key"]];

/// A file as JSON, with stars.
pub(crate) fn file(root: &Node) -> Value {
    if root.is_null() { Value::Object(Map::new()) } else { render(root, false, Some(&mut Vec::new())) }
}

/// Any other tree as JSON, with stars.
pub(crate) fn masked(node: &Node) -> Value {
    render(node, false, None)
}

/// `place`: the keys from the root of a file to here.
fn render<'a>(node: &'a Node, secret: bool, mut place: Option<&mut Vec<&'a str>>) -> Value {
    match &node.content {
        Content::List(items) => items.iter().map(|item| render(item, secret, place.as_deref_mut())).collect(),
        Content::Map(entries) => {
            let mut shown = Map::new();
            for entry in entries.values() {
                // All values of `ingress_auth` are keys, whatever their lists are called.
                let mut secret = secret || is_secret_name(&entry.key) || entry.key == "ingress_auth";
                if let Some(place) = &mut place {
                    place.push(&entry.key);
                    secret &= !SHOWN.contains(&place.as_slice());
                }
                shown.insert(entry.key.clone(), render(&entry.value, secret, place.as_deref_mut()));
                if let Some(place) = &mut place {
                    place.pop();
                }
            }
            Value::Object(shown)
        }
        Content::Null => Value::Null,
        _ if secret || node.hidden => Value::String(MASK.to_owned()),
        Content::Text(text) => Value::String(url(text)),
        _ => node.to_json(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        let shown = options(&json!({
            "OPENAI_API_KEY": "sk-1", "password": 5, "policy_url": "https://x", "headers": {"Authorization": "b"},
            "proxy_url": "http://p", "credentials": {"a": ["b"]}, "ingress_auth": {"in": "k"}, "port": 1, "Token": null
        }));
        let stars = MASK;
        assert_eq!(
            shown,
            json!({
                "OPENAI_API_KEY": stars, "password": stars, "policy_url": "https://x",
                "headers": {"Authorization": stars}, "proxy_url": stars, "credentials": {"a": [stars]},
                "ingress_auth": {"in": stars}, "port": 1, "Token": null
            })
        );
    }

    #[test]
    fn who_has_which_key_is_shown_and_the_key_is_not() {
        let key = json!({"name": "n", "key": "k", "role": "viewer", "rate": 3, "lists": ["in"]});
        let text = json!({
            "api": {"keys": [key], "tls": {"cert": "/c.pem", "key": "/k.pem"}},
            "links": {"api": {"keys": ["k"], "tls": {"key": "pem"}}},
        });
        let shown = file(&Node::from(&text));
        let key = json!({"name": "n", "key": MASK, "role": "viewer", "rate": 3, "lists": ["in"]});
        let api = json!({"keys": [key], "tls": {"cert": "/c.pem", "key": "/k.pem"}});
        assert_eq!(shown["api"], api);
        assert_eq!(shown["links"]["api"], json!({"keys": [MASK], "tls": {"key": MASK}}));
    }

    #[test]
    fn credentials_in_urls_are_masked_and_other_texts_are_not() {
        assert_eq!(url("redis://:pw@host:6379/0"), format!("redis://:{MASK}@host:6379/0"));
        assert_eq!(url("postgres://u:p@ss@h/db"), format!("postgres://u:{MASK}@h/db"));
        assert_eq!(url("https://tok@h"), format!("https://{MASK}@h"));
        assert_eq!(url("https://h/p?a=1&api_key=2"), format!("https://h/p?a=1&api_key={MASK}"));
        assert_eq!(url("a@b says: hello"), "a@b says: hello");
        assert_eq!(url("https://h/a@b"), "https://h/a@b");
    }
}
