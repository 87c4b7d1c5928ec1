//! What the queue and the store have to know beside the address.

use std::time::Duration;

use conserver_core::Secret;

/// Settings of one instance on one Redis.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// Where Redis is; see [`crate::shown`] for printing it.
    pub address: Secret,
    /// How long a document lives after an ingest (`VCON_REDIS_EXPIRY`); the sweeper extends to this.
    pub vcon_expiry: Duration,
    /// How long search sets live (`VCON_INDEX_EXPIRY`).
    pub index_expiry: Duration,
    /// How long trace contexts live (`VCON_CONTEXT_EXPIRY`).
    pub context_expiry: Duration,
    /// How long dead letters' documents live at least (`VCON_DLQ_EXPIRY`); zero: left as they are.
    pub dlq_expiry: Duration,
    /// The sorted set of all ids (`VCON_SORTED_SET_NAME`).
    pub sorted_set: String,
    /// How ids are taken.
    pub delivery: Delivery,
    /// Longest wait for one answer.
    pub response_timeout: Duration,
    /// How often an idle worker looks without being woken.
    pub poll: Duration,
    /// From this many bytes of documents on, those of a settlement follow the script in commands of their own, and the
    /// script's text travels along. What it costs the server to read and to hash 11 kB is what it costs to make
    /// strings of Lua from twice as much.
    pub follow_from: usize,
}

/// How ids are taken from lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// Held in an in-flight list until settled.
    #[default]
    AtLeastOnce,
    /// Popped with `BLPOP`, as the Python server does: what a dying worker holds is lost.
    AtMostOnce,
}

impl RedisOptions {
    /// The defaults of the Python server at this address.
    pub fn new(address: Secret) -> Self {
        Self {
            address,
            vcon_expiry: Duration::from_secs(3600),
            index_expiry: Duration::from_secs(86_400),
            context_expiry: Duration::from_secs(86_400),
            dlq_expiry: Duration::from_secs(604_800),
            sorted_set: "vcons".to_owned(),
            delivery: Delivery::default(),
            response_timeout: Duration::from_secs(10),
            poll: Duration::from_millis(200),
            follow_from: 32 << 10,
        }
    }
}
