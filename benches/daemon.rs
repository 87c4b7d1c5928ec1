//! The daemon under load: the conserver with one more storage, which does nothing but take its time.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::registry::{BuildContext, StorageKind};
use conserver_core::storage::{Storage, StorageInfo};
use conserver_core::vcon::{Vcon, VconId};
use conserver_core::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::Deserialize;

fn main() -> ExitCode {
    conserver::main_with(|registry| {
        registry.storage::<Slow>();
    })
}

struct Slow;

/// How slow it is.
#[derive(Deserialize, JsonSchema)]
struct SlowOptions {
    /// Milliseconds each save takes.
    milliseconds: u64,
}

impl StorageKind for Slow {
    const NAME: &'static str = "slow";
    const ALIASES: &'static [&'static str] = &[];
    type Options = SlowOptions;

    fn build(options: SlowOptions, _cx: &BuildContext) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(SlowStorage(Duration::from_millis(options.milliseconds))))
    }
}

struct SlowStorage(Duration);

#[async_trait]
impl Storage for SlowStorage {
    fn info(&self) -> StorageInfo {
        StorageInfo::new("slow")
    }

    async fn save(&self, batch: &[Vcon]) -> Vec<Result<()>> {
        tokio::time::sleep(self.0).await;
        batch.iter().map(|_| Ok(())).collect()
    }

    async fn get(&self, _id: &VconId) -> Result<Option<Vcon>> {
        Err(Error::new(ErrorKind::Unsupported, "keeps nothing"))
    }

    async fn delete(&self, _id: &VconId) -> Result<bool> {
        Err(Error::new(ErrorKind::Unsupported, "keeps nothing"))
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}
