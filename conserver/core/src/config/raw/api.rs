//! The REST API and Redis, as they may be written.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::Secret;
use crate::config::settings::{Role, UnknownLists};

/// The REST API.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Api")]
pub(crate) struct RawApi {
    /// Address and port. Default: the variable `CONSERVER_LISTEN`, else `127.0.0.1:8000`. Without any key it stays on this machine.
    pub(crate) listen: Option<String>,
    /// Path under which it is served, beside `/`. Default: the variable `API_ROOT_PATH`, else `/api`.
    pub(crate) root_path: Option<String>,
    /// Header that carries the key. Default: the variable `CONSERVER_HEADER_NAME`, else `x-conserver-api-token`.
    pub(crate) header: Option<String>,
    /// Keys, beside those of `CONSERVER_API_TOKEN` and `CONSERVER_API_TOKEN_FILE`. Without any key the API is open, and stays on this machine.
    pub(crate) keys: Vec<RawKey>,
    /// Origins whose pages may call the API: `https://console.example.com`, or `*`. Default: none.
    pub(crate) cors: Vec<String>,
    /// Certificate and key. Default: no TLS.
    pub(crate) tls: Option<RawTls>,
    /// Ids that a list may hold before posts to it are refused. Default: any number.
    pub(crate) max_queue_length: Option<u64>,
    /// Status of requests that are refused because a list is full or a key has used up its `rate`: `503` or `429`. Default:
    /// 503 where vCons are brought, for senders take 429 for "never again"; 429 elsewhere.
    #[schemars(extend("enum" = [503, 429, null]))]
    pub(crate) overload_status: Option<u16>,
    /// What becomes of requests that name a list of which no chain takes anything: `accept` (done, and told in the
    /// header `x-vcons-unserved`) or `refuse` (422).
    pub(crate) unknown_lists: UnknownLists,
    /// File that says who changed what, a JSON object on each line. Default: none.
    pub(crate) audit: Option<String>,
}

/// What the API speaks TLS with.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Tls")]
pub(crate) struct RawTls {
    /// File with the certificate and its chain, PEM.
    pub(crate) cert: String,
    /// File with the private key, PEM.
    pub(crate) key: String,
}

/// One key.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Key")]
pub(crate) struct RawKey {
    /// What it is called in logs. Default: its place in the list.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The key itself, in quotes where it looks like a number; better a reference such as `${PARTNER_KEY}` or `file:/run/secrets/partner`.
    #[serde(deserialize_with = "not_empty")]
    #[schemars(with = "String")]
    pub(crate) key: Secret,
    /// What it may do: `ingest`, `viewer`, `operator` or `admin`. Default: `admin`.
    #[serde(default)]
    pub(crate) role: Role,
    /// The lists that a key with the role `ingest` may post to.
    #[serde(default)]
    pub(crate) lists: Vec<String>,
    /// Requests per second. Default: any number.
    #[serde(default)]
    pub(crate) rate: Option<NonZeroU32>,
}

/// An empty key would let everybody in who sends an empty header, and the text of a number is not always the one that
/// stands in the file: `017` is 15.
fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    let key = String::deserialize(deserializer)?;
    if key.trim().is_empty() {
        Err(D::Error::invalid_length(0, &"a key that is not empty"))
    } else {
        Ok(Secret::new(key))
    }
}

/// Where Redis is.
#[derive(Debug, Clone)]
pub(crate) struct RawRedis {
    /// The URL, with credentials.
    pub(crate) url: Secret,
}

/// The map form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RedisMap {
    /// `redis://`, `rediss://` or `unix://`, with credentials and database.
    url: String,
}

impl<'de> Deserialize<'de> for RawRedis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RedisVisitor)
    }
}

struct RedisVisitor;

impl<'de> Visitor<'de> for RedisVisitor {
    type Value = RawRedis;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a URL such as `redis://localhost`")
    }

    fn visit_str<E: Error>(self, url: &str) -> Result<RawRedis, E> {
        Ok(RawRedis { url: Secret::new(url) })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawRedis, A::Error> {
        let map = RedisMap::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RawRedis { url: Secret::new(map.url) })
    }
}

impl JsonSchema for RawRedis {
    fn schema_name() -> Cow<'static, str> {
        "Redis".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<RedisMap>();
        json_schema!({ "anyOf": [{ "type": "string" }, map] })
    }
}
