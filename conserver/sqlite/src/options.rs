//! What the queue and the store have to know.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of one instance on one machine.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The folder of the file; made where it is missing.
    pub directory: PathBuf,
    /// How long a document lives after an ingest; the sweeper extends to this.
    pub vcon_expiry: Duration,
    /// How long search keys live.
    pub index_expiry: Duration,
    /// How long dead letters' documents live at least; zero: left as they are.
    pub dlq_expiry: Duration,
    /// How often an idle worker looks without being woken.
    pub poll: Duration,
}

impl SqliteOptions {
    /// The defaults of the Python server, in this folder.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            vcon_expiry: Duration::from_secs(3600),
            index_expiry: Duration::from_secs(86_400),
            dlq_expiry: Duration::from_secs(604_800),
            poll: Duration::from_millis(200),
        }
    }
}
