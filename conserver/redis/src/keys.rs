//! The keys. Public ones are the Python server's, unchanged; ours begin with `cs:`, each with one owner and an
//! end of life. The Lua files build the same names; the tests
//! of the scripts spoil each of them by its name and fail where the two differ.
//!
//! | key | type | what | ends |
//! |---|---|---|---|
//! | `cs:format` | string | version of this layout | never |
//! | `cs:seq` | counter | tokens of entries | never |
//! | `cs:workers` | sorted set | worker → end of its lease (ms) | entry: at stop or recovery |
//! | `cs:w:<worker>` | hash | host, realm, pid, start, progress | with the registration |
//! | `cs:wl:<worker>` | set | lists of which it holds entries | with the registration |
//! | `cs:infl:{<list>}:<worker>` | list | `token\|id` held now | settled or recovered |
//! | `cs:busy` | hash | id → worker that runs it | settled or recovered |
//! | `cs:parked` | hash | id → `[[list, how often], …]`: its other occurrences | when the id is settled |
//! | `cs:retry:{<list>}` | sorted set | `token\|id` → due (ms) | claimed or drained |
//! | `cs:tries:{<list>}` | hash | token → what earlier runs left | settled |
//! | `cs:suspect:{<list>}` | list | `token\|id` for the suspect lane | claimed or drained |
//! | `cs:lane:<realm>` | string | worker that serves the suspect lane of a host; void while it holds nothing | 1 day |
//! | `cs:paused` | set | lists nothing is claimed from | resumed |
//! | `cs:new:<worker>:<n>` | any | a large document before its settlement | renamed, or 10 min |
//! | `cs:aside`, `cs:aside:<id>` | list, any | documents that a settlement must not write | within the same transaction |
//! | `cs:dlq:<dead-letter list>:<id>` | hash | why an id is a dead letter | replayed, discarded, or with the document |
//! | `cs:once:<name>` | string | id of the request that its sender called so | 1 day |
//! | `cs:story:<00 to ff>` | stream | what became of the vCons whose ids have this hash | bounded by `stories` |
//! | `cs:notes` | hash | running instance → until when (ms), how it stands | 10 s after the last note |
//! | `cs:expiring` | sorted set | ids that a link lets expire → when (ms) | passed |
//! | `cs:sweeper` | string | who extends times to live | 1 min |
//! | `cs:stray` | list | what could not be put where it belongs | by hand (`doctor` shows it) |

use conserver_core::vcon::VconId;
use conserver_core::{QueueName, WorkerId};

/// All but the public keys begin so.
pub(crate) const OURS: &str = "cs:";
/// Version of the layout above.
pub(crate) const FORMAT: u32 = 1;
/// Holds [`FORMAT`].
pub(crate) const FORMAT_KEY: &str = "cs:format";
/// Worker → end of its lease.
pub(crate) const WORKERS: &str = "cs:workers";
/// Id → worker that runs it.
pub(crate) const BUSY: &str = "cs:busy";
/// Id → lists of its parked occurrences.
pub(crate) const PARKED: &str = "cs:parked";
/// Lists nothing is claimed from.
pub(crate) const PAUSED: &str = "cs:paused";
/// Ids that a link lets expire.
pub(crate) const EXPIRING: &str = "cs:expiring";
/// Instance → how it stands.
pub(crate) const NOTES: &str = "cs:notes";
/// What could not be put where it belongs.
pub(crate) const STRAY: &str = "cs:stray";
/// Who extends times to live.
pub(crate) const SWEEPER: &str = "cs:sweeper";

/// The keys that all workers share, with their types.
pub(crate) const SHARED: &[(&str, &str)] = &[
    ("cs:seq", "string"),
    (WORKERS, "zset"),
    (BUSY, "hash"),
    (PARKED, "hash"),
    (PAUSED, "set"),
    (EXPIRING, "zset"),
    (SWEEPER, "string"),
    (STRAY, "list"),
];

/// In how many streams stories lie.
pub(crate) const STORIES: usize = 256;

/// The stream with the story of an id: by a hash that every version computes alike.
pub(crate) fn story(id: &VconId) -> String {
    let hash = id.as_str().bytes().fold(0_u8, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte));
    format!("cs:story:{hash:02x}")
}

/// The document of an id.
pub(crate) fn document(id: &VconId) -> String {
    format!("vcon:{id}")
}

/// A worker's registration.
pub(crate) fn worker(worker: &WorkerId) -> String {
    format!("cs:w:{worker}")
}

/// Lists of which a worker holds entries.
pub(crate) fn worker_lists(worker: &WorkerId) -> String {
    format!("cs:wl:{worker}")
}

/// What a worker holds of a list.
pub(crate) fn in_flight(list: &QueueName, worker: &WorkerId) -> String {
    format!("cs:infl:{{{list}}}:{worker}")
}

/// Delayed entries of a list.
pub(crate) fn retry(list: &QueueName) -> String {
    format!("cs:retry:{{{list}}}")
}

/// What earlier runs of a list's entries left.
pub(crate) fn tries(list: &QueueName) -> String {
    format!("cs:tries:{{{list}}}")
}

/// Suspects of a list.
pub(crate) fn suspects(list: &QueueName) -> String {
    format!("cs:suspect:{{{list}}}")
}

/// A large document before its settlement. Each call has another `n`: one that was delayed on its way must not
/// overwrite what a later one staged.
pub(crate) fn staged(worker: &WorkerId, n: u64) -> String {
    format!("cs:new:{worker}:{n}")
}

/// Why an id is a dead letter.
pub(crate) fn letter(dlq: &QueueName, id: &VconId) -> String {
    format!("cs:dlq:{dlq}:{id}")
}

/// The producer's trace context beside a list.
pub(crate) fn context(list: &QueueName, id: &VconId) -> String {
    format!("context:{list}:{id}")
}
