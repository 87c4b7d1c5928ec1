//! What the supervisor says, over standard input: configurations and figures, one JSON line each. Its end means that
//! the supervisor is gone, and so should we be.

use std::io::BufRead;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::figures::Told;

/// One line to a child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Run this configuration from now on.
    Configure {
        /// The file's name, for messages.
        file: String,
        /// Its text.
        text: String,
    },
    /// Give back what still runs.
    Hurry,
    /// How the whole instance stands, for the API to show.
    News(Told),
}

/// Reads standard input on a thread of its own; the channel ends when standard input does.
pub(crate) fn listen() -> std::io::Result<mpsc::UnboundedReceiver<Message>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::Builder::new().name("inbox".to_owned()).spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match serde_json::from_str(&line) {
                Ok(message) => {
                    if sender.send(message).is_err() {
                        return;
                    }
                }
                Err(error) => tracing::error!(%error, "cannot read what the supervisor says"),
            }
        }
    })?;
    Ok(receiver)
}

/// Ends the process if it is still there after `limit`: a runtime that hangs must not outlive its supervisor.
pub(crate) fn end_after(limit: Duration) {
    let spawned = std::thread::Builder::new().name("last resort".to_owned()).spawn(move || {
        let start = std::time::Instant::now();
        while start.elapsed() < limit {
            std::thread::park_timeout(limit);
        }
        // The orderly stop did not come to its end.
        crate::exit::Exit::Failed.now()
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "cannot watch over the stop");
    }
}
