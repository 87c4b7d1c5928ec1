//! Lists and keys of ours that another program overwrote: which one it is and what lies there.
//!
//! The scripts do not look at types before each command, for that would cost every vCon. They fail before their first
//! write, and only then somebody looks for the reason here.

use conserver_core::queue::Claimed;
use conserver_core::{Class, Error, ErrorKind, QueueName, Result, WorkerId};

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::text;

/// What to do about a key of ours that holds something else.
pub(crate) const MEND: &str =
    "another program wrote it: remove it, or give the conserver a database of its own";

impl RedisQueue {
    /// The keys of ours that hold another type than they have to, in words: those shared by all, and those of these
    /// lists and this worker.
    pub(crate) async fn misplaced(
        &self,
        lists: impl IntoIterator<Item = &QueueName>,
        worker: Option<&WorkerId>,
    ) -> Result<Vec<String>> {
        let mut expected: Vec<(String, &str)> =
            keys::SHARED.iter().map(|(key, kind)| ((*key).to_owned(), *kind)).collect();
        if let Some(worker) = worker {
            expected.push((keys::worker(worker), "hash"));
            expected.push((keys::worker_lists(worker), "set"));
        }
        for list in lists {
            expected.push((list.as_str().to_owned(), "list"));
            expected.push((keys::retry(list), "zset"));
            expected.push((keys::tries(list), "hash"));
            expected.push((keys::suspects(list), "list"));
            expected.extend(worker.map(|worker| (keys::in_flight(list, worker), "list")));
        }
        let mut look = redis::pipe();
        for (key, _) in &expected {
            look.cmd("TYPE").arg(key);
        }
        let kinds = self.client.pipeline("look at our keys", &look).await?;
        let wrong = expected.into_iter().zip(kinds).filter_map(|((key, expected), kind)| {
            let kind = text(kind)?;
            (kind != "none" && kind != expected).then(|| format!("`{key}` holds a {kind}, not a {expected}"))
        });
        Ok(wrong.collect())
    }

    /// Says which key it was. Until somebody mends it the queue is not available; no vCon is to blame.
    pub(crate) async fn explained(
        &self,
        error: Error,
        lists: impl IntoIterator<Item = &QueueName>,
        worker: Option<&WorkerId>,
    ) -> Error {
        if error.kind() != ErrorKind::WrongType {
            return error;
        }
        let error = error.class(Class::Unavailable);
        match self.misplaced(lists, worker).await {
            Ok(wrong) if !wrong.is_empty() => error.context(format!("{}; {MEND}", wrong.join(", "))),
            _ => error,
        }
    }

    /// Fills in why nothing can be taken from the lists that a claim passed over.
    pub(crate) async fn explain(&self, claimed: &mut Claimed, worker: &WorkerId) -> Result<()> {
        for (list, problem) in &mut claimed.problems {
            let wrong = self.misplaced([&*list], Some(worker)).await?;
            *problem = format!("{}; {MEND}", wrong.join(", "));
        }
        Ok(())
    }
}
