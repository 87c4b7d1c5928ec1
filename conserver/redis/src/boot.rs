//! What to know about a Redis before relying on it, in plain language.

use std::time::{Duration, Instant};

use conserver_core::backend::{Advice, Gravity};
use conserver_core::{Error, ErrorKind, Result};

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{text, texts};

/// A round trip above this is worth a word.
const SLOW: Duration = Duration::from_millis(50);
/// The oldest version with every command the scripts use.
const OLDEST: (u32, u32) = (6, 2);

impl RedisQueue {
    /// Looks at version, cluster mode, role, persistence, eviction, round trip and the layout of our own keys.
    pub async fn advise(&self) -> Result<Vec<Advice>> {
        let doing = "look at the server";
        let info = match self.client.command(doing, &redis::cmd("INFO")).await {
            Err(error) if matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Internal) => {
                // Whoever may not do this either may do nothing here.
                self.ping().await?;
                return Ok(vec![unknown(&error), self.round_trip().await?, self.layout().await?]);
            }
            info => text(info?).unwrap_or_default(),
        };
        let of = |name: &str| {
            info.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
                .unwrap_or_default()
        };
        let mut findings = vec![version(of("redis_version"), of("valkey_version"))];
        if of("cluster_enabled") == "1" {
            findings.push(Advice::new(
                Gravity::Fatal,
                "cluster",
                "this server runs in cluster mode",
                "Redis Cluster is not supported yet: use a single server or Sentinel",
            ));
        }
        if of("role") != "master" {
            findings.push(Advice::new(
                Gravity::Fatal,
                "role",
                "this server is a replica",
                "point the address at the master, or at the Sentinels: redis+sentinel://host:26379/mymaster",
            ));
        }
        // Such a server does not let us write, so there is nothing more to be learned.
        if findings.iter().any(|finding| finding.gravity == Gravity::Fatal) {
            return Ok(findings);
        }
        findings.push(persistence(of("aof_enabled") == "1", &self.setting("appendfsync").await));
        findings.push(eviction(&self.setting("maxmemory-policy").await, of("maxmemory")));
        findings.push(self.round_trip().await?);
        findings.push(self.layout().await?);
        Ok(findings)
    }

    /// One server setting; empty where the server does not let us look.
    async fn setting(&self, name: &str) -> String {
        let answer = self.client.command("read a setting", redis::cmd("CONFIG").arg("GET").arg(name)).await;
        let values = answer.ok().and_then(|value| texts(value, "CONFIG GET").ok()).unwrap_or_default();
        values.into_iter().nth(1).unwrap_or_default()
    }

    async fn round_trip(&self) -> Result<Advice> {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            self.ping().await?;
            best = best.min(start.elapsed());
        }
        let found = format!("a round trip takes {:.2} ms", best.as_secs_f64() * 1e3);
        Ok(if best > SLOW {
            Advice::new(Gravity::Warning, "round trip", &found, "run the workers nearer to Redis")
        } else {
            Advice::new(Gravity::Good, "round trip", &found, "")
        })
    }

    /// The version of our own layout, written where there is none; and whether our keys have their types.
    async fn layout(&self) -> Result<Advice> {
        let doing = "look at our keys";
        let mut look = redis::pipe();
        look.cmd("SET").arg(keys::FORMAT_KEY).arg(keys::FORMAT).arg("NX").cmd("GET").arg(keys::FORMAT_KEY);
        let mut answers = self.client.pipeline(doing, &look).await?.into_iter().skip(1);
        let format = answers.next().and_then(text).unwrap_or_default();
        if format != keys::FORMAT.to_string() {
            let found = format!("`{}` is {format:?}, this program knows {}", keys::FORMAT_KEY, keys::FORMAT);
            let advice = "another version of the conserver laid out this Redis: run that one, or `drain` with it first";
            return Ok(Advice::new(Gravity::Fatal, "layout", &found, advice));
        }
        let wrong = self.misplaced([], None).await?;
        if !wrong.is_empty() {
            return Ok(Advice::new(Gravity::Fatal, "layout", wrong.join(", "), crate::misplaced::MEND));
        }
        Ok(Advice::new(Gravity::Good, "layout", format!("key layout {format}, as this version"), ""))
    }
}

/// A server that does not let us look.
fn unknown(error: &Error) -> Advice {
    Advice::new(
        Gravity::Warning,
        "server",
        format!("version, role and persistence are unknown: {}", error.chain()),
        "let our user use INFO (`+info`), or see for yourself: Redis 6.2 or newer, a master, with `appendonly yes`",
    )
}

fn version(redis: &str, valkey: &str) -> Advice {
    let (name, shown) = if valkey.is_empty() { ("Redis", redis) } else { ("Valkey", valkey) };
    let mut numbers = redis.split('.').map(|n| n.parse().unwrap_or(0));
    let found = format!("{name} {shown}");
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
        Advice::new(Gravity::Fatal, "version", &found, "Redis 6.2 or newer, or Valkey, is needed")
    } else {
        Advice::new(Gravity::Good, "version", &found, "")
    }
}

fn persistence(aof: bool, fsync: &str) -> Advice {
    match (aof, fsync) {
        (false, _) => Advice::new(
            Gravity::Warning,
            "persistence",
            "the append-only file is off: a crash of Redis loses all since its last snapshot",
            "set `appendonly yes` (and `appendfsync always` if nothing acknowledged may ever be lost)",
        ),
        (true, "always") => Advice::new(
            Gravity::Good,
            "persistence",
            "append-only file, written through: a crash loses nothing acknowledged",
            "",
        ),
        (true, "everysec") => Advice::new(
            Gravity::Good,
            "persistence",
            "append-only file, flushed every second: a crash of the host can cost about two seconds",
            "set `appendfsync always` if nothing acknowledged may ever be lost",
        ),
        (true, other) => Advice::new(
            Gravity::Warning,
            "persistence",
            format!("append-only file, flushed when the system likes (`appendfsync {other}`)"),
            "set `appendfsync everysec` or `always`",
        ),
    }
}

fn eviction(policy: &str, maxmemory: &str) -> Advice {
    if policy.is_empty() || policy == "noeviction" {
        return Advice::new(Gravity::Good, "eviction", "nothing is evicted", "");
    }
    let unlimited = if maxmemory == "0" { " (no `maxmemory` is set yet)" } else { "" };
    Advice::new(
        Gravity::Warning,
        "eviction",
        format!(
            "`maxmemory-policy {policy}`{unlimited}: Redis may drop vCons and queues when memory is short"
        ),
        "set `maxmemory-policy noeviction`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(version("6.2.0", "").gravity, Gravity::Good);
        assert_eq!(version("10.0.1", "").gravity, Gravity::Good);
        assert_eq!(version("6.0.16", "").gravity, Gravity::Fatal);
        assert_eq!(version("7.2.4", "8.0.1").found, "Valkey 8.0.1");
    }

    #[test]
    fn persistence_says_what_a_crash_costs() {
        assert_eq!(persistence(false, "everysec").gravity, Gravity::Warning);
        assert_eq!(persistence(true, "always").gravity, Gravity::Good);
        assert_eq!(persistence(true, "no").gravity, Gravity::Warning);
    }
}
