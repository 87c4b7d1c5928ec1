//! Wake-up: one connection on which the server says that a key of ours changed.
//!
//! RESP3 client tracking in broadcast mode by prefix needs no server setting and no memory per key. It is a hint
//! and nothing more: it may be late, doubled, for another key with the same beginning, or never come; whoever
//! waits for it also polls. A list whose name is the beginning of document keys would stream every write, so
//! such a list is left to the poll.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conserver_core::Result;
use conserver_core::queue::ListShare;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::options::RedisOptions;

/// Between two attempts to open the connection.
const RETRY: Duration = Duration::from_secs(1);
/// How often the connection is tried when it is quiet.
const PING: Duration = Duration::from_secs(5);

/// The wake-up connection and who waits for it.
pub(crate) struct Hints {
    changed: Arc<Notify>,
    watched: Arc<Watched>,
    /// Started with the first claim, so that programs that claim nothing open no such connection.
    task: Mutex<Option<JoinHandle<()>>>,
    client: Arc<Client>,
}

#[derive(Default)]
struct Watched {
    prefixes: Mutex<BTreeSet<String>>,
    renewed: Notify,
}

impl Hints {
    pub(crate) fn new(options: &RedisOptions) -> Result<Self> {
        Ok(Self {
            changed: Arc::new(Notify::new()),
            watched: Arc::default(),
            task: Mutex::new(None),
            client: Arc::new(Client::new(&options.address, options.response_timeout)?),
        })
    }

    /// Says which lists matter. Cheap when nothing changed.
    pub(crate) fn watch(&self, lists: &[ListShare]) {
        let mut prefixes = self.watched.prefixes.lock().expect("no panic while held");
        let known = !prefixes.is_empty() && lists.iter().all(|share| covered(&prefixes, share.list.as_str()));
        if known {
            return;
        }
        for share in lists {
            prefixes.insert(share.list.as_str().to_owned());
        }
        *prefixes = smallest(&prefixes);
        drop(prefixes);
        self.watched.renewed.notify_one();
        let mut task = self.task.lock().expect("no panic while held");
        if task.is_none() {
            let (client, watched, changed) =
                (self.client.clone(), self.watched.clone(), self.changed.clone());
            *task = Some(tokio::spawn(listen(client, watched, changed)));
        }
    }

    /// Completes at the next hint.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().expect("no panic while held").take() {
            task.abort();
        }
    }
}

/// Prefixes must not overlap: of `a` and `ab` only `a` is kept.
fn smallest(prefixes: &BTreeSet<String>) -> BTreeSet<String> {
    let mut kept: BTreeSet<String> = BTreeSet::new();
    for prefix in prefixes {
        if !covered(&kept, prefix) {
            kept.insert(prefix.clone());
        }
    }
    kept
}

fn covered(prefixes: &BTreeSet<String>, name: &str) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
}

/// Whether documents, indexes or our own keys begin with this: their writes would drown the hints.
fn is_noisy(prefix: &str) -> bool {
    ["vcon:", "cs:", "tel:", "mailto:", "name:", "context:"].iter().any(|hot| hot.starts_with(prefix))
}

async fn listen(client: Arc<Client>, watched: Arc<Watched>, changed: Arc<Notify>) {
    loop {
        if let Err(error) = listen_once(&client, &watched, &changed).await {
            tracing::debug!(error = %error.chain(), "wake-up connection lost; polling until it is back");
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Listens until the connection breaks or the prefixes change.
async fn listen_once(client: &Client, watched: &Watched, changed: &Notify) -> Result<()> {
    let (sender, mut pushes) = mpsc::unbounded_channel();
    let mut connection = client.pushes(sender).await?;
    let failed = |e| crate::error::classify("listen for wake-ups", e);
    let prefixes = watched.prefixes.lock().expect("no panic while held").clone();
    let mut command = redis::cmd("CLIENT");
    command.arg("TRACKING").arg("ON").arg("BCAST");
    let mut any = false;
    for prefix in prefixes.iter().filter(|prefix| !is_noisy(prefix)) {
        command.arg("PREFIX").arg(prefix);
        any = true;
    }
    if !any {
        watched.renewed.notified().await;
        return Ok(());
    }
    command.exec_async(&mut connection).await.map_err(failed)?;
    // What came before tracking was on would otherwise wait for the poll.
    changed.notify_one();
    loop {
        tokio::select! {
            push = pushes.recv() => match push {
                Some(push) if push.kind == redis::PushKind::Invalidate => changed.notify_one(),
                Some(push) if push.kind == redis::PushKind::Disconnection => return Ok(()),
                Some(_) => {}
                None => return Ok(()),
            },
            () = watched.renewed.notified() => return Ok(()),
            () = tokio::time::sleep(PING) => {
                redis::cmd("PING").exec_async(&mut connection).await.map_err(failed)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn overlapping_prefixes_are_reduced() {
        assert_eq!(smallest(&set(&["ab", "a", "b", "abc", "ca"])), set(&["a", "b", "ca"]));
        assert_eq!(smallest(&set(&["ab", "aba", "ac"])), set(&["ab", "ac"]));
    }

    #[test]
    fn a_list_that_begins_hot_keys_is_left_to_the_poll() {
        assert!(is_noisy("vcon") && is_noisy("") && is_noisy("cs:"));
        assert!(!is_noisy("vcons_in") && !is_noisy("default_ingress"));
    }
}
