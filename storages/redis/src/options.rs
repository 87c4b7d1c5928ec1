//! What stands under `options:` of a storage on Redis.

use std::time::Duration;

use conserver_core::Secret;
use conserver_core::config::coerce;
use conserver_redis::Client;
use schemars::JsonSchema;
use serde::Deserialize;

/// What a server takes as one value unless `proto-max-bulk-len` says otherwise.
const LARGEST_VALUE: u64 = 512 << 20;

/// What the working copies' keys begin with.
const WORKING_COPIES: &str = "vcon";

/// Options of a storage on Redis. All have defaults.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RedisStorageOptions {
    /// Where the Redis is, in any form that `redis` at the top of the file takes: `redis://user:password@host:6379/0`.
    /// Default: the Redis with the lists, as with the Python server.
    #[serde(alias = "uri")]
    pub url: Option<Secret>,

    /// What every key begins with: `<prefix>:<id>`. Default `vcon_storage`.
    #[serde(deserialize_with = "coerce::text")]
    #[schemars(with = "coerce::Text")]
    pub prefix: String,

    /// How long a copy is kept after its last save; `null`: for ever. Default `7d`.
    #[serde(deserialize_with = "coerce::opt_duration")]
    #[schemars(with = "Option<coerce::DurationText>")]
    pub expires: Option<Duration>,

    /// The largest vCon that is kept. Default `512MiB`, which is also the most that a Redis takes unless its
    /// `proto-max-bulk-len` says otherwise.
    #[serde(deserialize_with = "coerce::size")]
    #[schemars(with = "coerce::Size")]
    pub max_size: u64,

    /// How long to wait for one answer. Default `10s`.
    #[serde(deserialize_with = "coerce::duration")]
    #[schemars(with = "coerce::DurationText")]
    pub response_timeout: Duration,

    /// Without effect, as with the Python server; `url` has one.
    pub redis_url: Option<Secret>,
}

impl Default for RedisStorageOptions {
    fn default() -> Self {
        Self {
            url: None,
            prefix: "vcon_storage".to_owned(),
            expires: Some(Duration::from_secs(604_800)),
            max_size: LARGEST_VALUE,
            response_timeout: Duration::from_secs(10),
            redis_url: None,
        }
    }
}

impl RedisStorageOptions {
    /// How long Redis has to keep a copy, in milliseconds; `None`: for ever.
    pub(crate) fn lifetime(&self) -> Option<u64> {
        // Beyond this the server's own sum overflows, and nobody waits.
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
        let lifetime = self.expires.filter(|lifetime| !lifetime.is_zero())?;
        Some(lifetime.min(CENTURY).as_millis().max(1) as u64)
    }

    /// What is wrong with options that parsed.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(Err(error)) = self.url.as_ref().map(|url| Client::new(url, self.response_timeout)) {
            problems.push(format!("`url` cannot be used: {}", error.chain()));
        }
        if self.url.is_none() && self.prefix == WORKING_COPIES {
            problems.push(
                "`prefix: vcon` makes the keys of the working copies, which would then end with `expires`; the default is \
                 `vcon_storage`"
                    .to_owned(),
            );
        }
        if self.expires.is_some_and(|lifetime| lifetime.is_zero()) {
            problems.push(
                "`expires` is 0, which a Redis refuses, so copies are kept for ever: write `null` for that"
                    .to_owned(),
            );
        }
        if self.response_timeout.is_zero() {
            problems.push(
                "`response_timeout` is 0, so no answer would be waited for; the default is 10s".to_owned(),
            );
        }
        if self.redis_url.is_some() {
            problems.push(
                "`redis_url` is without effect, as with the Python server: copies go to the Redis with the lists, or to \
                 where `url` says"
                    .to_owned(),
            );
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> RedisStorageOptions {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_python_servers_options_are_read() {
        let options = parse(r#"{"prefix": "vcon_storage", "expires": "3600"}"#);
        assert_eq!((options.prefix.as_str(), options.lifetime()), ("vcon_storage", Some(3_600_000)));
        assert_eq!(options.problems(), [""; 0]);
        let defaults = parse("{}");
        assert_eq!((defaults.prefix.as_str(), defaults.lifetime()), ("vcon_storage", Some(604_800_000)));
        assert_eq!(parse(r#"{"expires": null}"#).lifetime(), None);
        let ignored = parse(r#"{"redis_url": "redis://:localhost:6379"}"#);
        assert!(ignored.url.is_none() && ignored.problems()[0].contains("`url`"), "{ignored:?}");
    }

    #[test]
    fn a_lifetime_is_one_that_a_server_takes() {
        assert_eq!(parse(r#"{"expires": "7d"}"#).lifetime(), Some(604_800_000));
        assert_eq!(parse(r#"{"expires": 0}"#).lifetime(), None);
        assert_eq!(parse(r#"{"expires": 1e-9}"#).lifetime(), Some(1));
        assert!(parse(r#"{"expires": 18446744073709551615}"#).lifetime().unwrap() < 1 << 42);
    }

    #[test]
    fn what_cannot_work_is_told_without_secrets() {
        let wrong = parse(
            r#"{"url": "redis+sentinel://:hunter2@host:1", "expires": 0, "response_timeout": 0, "redis_url": "redis://:hunter3@h"}"#,
        );
        let problems = wrong.problems();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(!format!("{problems:?} {wrong:?}").contains("hunter"), "{problems:?}");
    }

    #[test]
    fn the_working_copies_are_not_written_over() {
        assert_eq!(parse(r#"{"prefix": "vcon"}"#).problems().len(), 1);
        assert_eq!(parse(r#"{"prefix": "vcon", "url": "redis://elsewhere"}"#).problems(), [""; 0]);
    }
}
