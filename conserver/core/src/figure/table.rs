//! The table itself.

use super::Kind::{Counter, Greatest, Histogram, Sum};
use super::Unit::{Bytes, Count, Milliseconds, Seconds};
use super::{Figure, ITEMS, SECONDS};

macro_rules! figures {
    ($($constant:ident = $kind:expr, $unit:ident, $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(#[doc = $help] pub static $constant: Figure =
            Figure { name: $name, kind: $kind, unit: $unit, labels: &[$($label),*], help: $help };)*

        /// Every figure, in the order in which they are shown.
        pub static ALL: &[&Figure] = &[$(&$constant),*];
    };
}

figures! {
    RECEIVED = Counter, Count, "conserver.main_loop.count_vcons_received" ["ingress_list"]
        "vCons claimed from an ingress list, repeated ones included";
    SETTLED = Counter, Count, "conserver.main_loop.count_vcons_settled" ["ingress_list"]
        "vCons of a list that came to their end: done, halted, dead";
    PROCESSED = Counter, Count, "conserver.main_loop.count_vcons_processed" ["chain.name"]
        "vCons that a chain is done with, halted ones included, failed ones not";
    PROCESSING_TIME = Histogram(SECONDS), Seconds, "conserver.main_loop.vcon_processing_time" ["chain.name"]
        "From the claim of a vCon to its confirmed settlement";
    ENDS = Counter, Count, "conserver.main_loop.count_ends" ["chain.name", "end"]
        "How runs ended: done, halted, retry, dead, given-back, gone";
    IN_FLIGHT = Sum, Count, "conserver.vcons.inflight" ["chain.name"]
        "vCons that workers hold";
    OLDEST = Greatest, Seconds, "conserver.vcons.oldest_inflight_age" []
        "Age of the claim that is held longest";
    REDELIVERED = Counter, Count, "conserver.vcons.count_redelivered" ["chain.name"]
        "Failed runs that will be repeated";
    RECOVERED = Counter, Count, "conserver.vcons.count_recovered" []
        "vCons put back for workers that ended";
    SUSPECTS = Counter, Count, "conserver.vcons.count_suspects" []
        "vCons put aside because they were running when a worker crashed";
    POISON = Counter, Count, "conserver.vcons.count_poison" []
        "vCons that became dead letters because workers crashed on them alone";
    LINK_COUNT = Counter, Count, "conserver.link.count" ["link_name", "outcome"]
        "Runs of a link: success, halt, error";
    LINK_TIME = Histogram(SECONDS), Seconds, "conserver.link.execution_time" ["link.name", "chain.name"]
        "Time of a link, all its attempts together";
    LINK_PASSED_OVER = Counter, Count, "conserver.link.count_passed_over" ["link.name"]
        "Failures of a link that its chain went on without";
    STORAGE_COUNT = Counter, Count, "conserver.storage.count" ["backend", "outcome"]
        "Saves to a storage: success, error";
    STORAGE_DURATION = Histogram(SECONDS), Milliseconds, "conserver.storage.duration_ms" ["backend", "outcome"]
        "Time of a save, waiting for its batch and all its attempts included";
    ATTEMPTS = Counter, Count, "conserver.attempts.count" ["guards", "op", "outcome"]
        "Attempts at a link or storage: success, the class of the error, or refused by an open breaker";
    BREAKER_OPEN = Sum, Count, "conserver.breaker.open" ["kind", "guards"]
        "Workers that hold a link or storage to be away";
    BREAKER_CHANGES = Counter, Count, "conserver.breaker.changes" ["kind", "guards", "state"]
        "Changes of breakers to closed, open, half-open";
    DLQ = Counter, Count, "conserver.dlq.count" ["queue_name", "reason"]
        "vCons that became dead letters";
    SETTLE_TIME = Histogram(SECONDS), Seconds, "conserver.settle.time" []
        "Time of a batch of settlements until it is confirmed";
    SETTLE_ITEMS = Histogram(ITEMS), Count, "conserver.settle.items" []
        "How many vCons are settled in one batch";
    LOAD_MISS = Counter, Count, "conserver.lib.vcon_redis.get_vcon_redis_miss" []
        "Documents that the queue's store did not have";
    STORAGE_HIT = Counter, Count, "conserver.lib.vcon_redis.get_vcon_storage_hit" []
        "Of those, documents that a storage had";
    NOT_FOUND = Counter, Count, "conserver.lib.vcon_redis.get_vcon_not_found" []
        "Of those, documents that were nowhere";
    LIST_LENGTH = Greatest, Count, "conserver.ingress_list.length" ["ingress_list", "kind"]
        "Ids on a list: ingress, dlq, storage-dlq";
    LIST_ELSEWHERE = Greatest, Count, "conserver.ingress_list.elsewhere" ["ingress_list", "place"]
        "Ids of a list that are elsewhere: in-flight, delayed, parked, suspects";
    LIST_OVERDUE = Greatest, Seconds, "conserver.ingress_list.overdue" ["ingress_list"]
        "How long a repetition has been due that nobody claims";
    LIST_OLDEST = Greatest, Seconds, "conserver.ingress_list.oldest_age" ["ingress_list"]
        "Age of the id at the head of a list: since it was put there, or on Redis since its conversation";
    LIST_PAUSED = Greatest, Count, "conserver.ingress_list.paused" ["ingress_list"]
        "1 while claims from a list are stopped";
    REDIS_MEMORY = Greatest, Bytes, "conserver.redis.memory_used_bytes" []
        "Memory that Redis uses";
    ENQUEUED = Counter, Count, "conserver.api.count_vcons_enqueued" ["ingress_list", "source"]
        "vCons that the API put on a list: new, external, reingress, dlq_reprocess";
    WEBHOOK = Histogram(SECONDS), Seconds, "conserver.webhook.duration" ["status_code"]
        "Time of one call of a webhook; status 0 where none came back";
    WEBHOOK_FAILURES = Counter, Count, "conserver.link.webhook.post_failures" ["link.name"]
        "Attempts of a link webhook after which some receiver did not have the vCon";
    WEBHOOK_UNSET = Counter, Count, "conserver.link.webhook.no_urls_configured" ["link.name"]
        "vCons of a link webhook that names no receiver";
    MEDIA_FAILURES = Counter, Count, "conserver.link.diet.media_post_failures" ["link.name"]
        "Attempts of a link diet that could not put a body elsewhere";
    WORKERS = Sum, Count, "conserver.workers.running" ["lane"]
        "Workers at work: main, suspects";
    WORKER_ENDS = Counter, Count, "conserver.workers.count_ended" ["role", "cause"]
        "Children of the supervisor that ended: ok, failed, stuck, recovered, or the signal";
    RELOADS = Counter, Count, "conserver.config.count_reloads" ["outcome"]
        "Changed configurations: taken, refused";
    LOG_LOST = Counter, Count, "conserver.log.count_lost" []
        "Lines of the log that could not be written";
    BUILD = Greatest, Count, "conserver.build.info" ["version", "commit"]
        "1, with the version in the labels";
}
