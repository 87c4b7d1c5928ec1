//! What lies where nobody looks any more: for `doctor`.

use conserver_core::Result;
use conserver_core::backend::Stray;
use conserver_core::queue::LEASE;

use crate::queue::SqliteQueue;

impl SqliteQueue {
    /// Workers whose lease ended long ago. Other strays there are none: an entry cannot lie in two places or in none.
    pub(crate) async fn find_strays(&self) -> Result<Vec<Stray>> {
        let long = 2 * i64::try_from(LEASE.as_millis()).unwrap_or(0);
        let workers = self.all_workers().await?.into_iter();
        let lost = workers.filter(|status| -status.lease_ms > long).map(|status| Stray {
            key: format!("worker {}", status.info.id),
            entries: status.in_flight,
            meaning: format!(
                "its lease ended {} s ago; a running conserver recovers it, or `conserver drain`",
                -status.lease_ms / 1000
            ),
        });
        Ok(lost.collect())
    }
}
