//! Keeps vCons in keys of a Redis, as the Python server does: `<prefix>:<id>` is the document as JSON text.
//!
//! A batch is one pipeline. Every command looks at the type of its key itself, so that a prefix somebody else uses costs
//! nobody their data.
//!
//! * [`options`]: what the file of the conserver says.
//! * `storage`: the contract, and the four commands.
//! * `error`: what an error of the server means for the vCon.
//!
//! How the server is reached, and what its errors are called, is in `conserver-redis`.

mod error;
pub mod options;
mod storage;

use std::sync::Arc;

use conserver_core::registry::{BuildContext, StorageKind};
use conserver_core::storage::Storage;
use conserver_core::{Error, ErrorKind, Result};

pub use options::RedisStorageOptions;
pub use storage::Keys;

/// The registry's entry.
#[derive(Debug)]
pub struct RedisStorage;

impl StorageKind for RedisStorage {
    const NAME: &'static str = "redis_storage";
    const ALIASES: &'static [&'static str] = &["storage.redis_storage", "redis", "storage.redis"];
    type Options = RedisStorageOptions;

    fn check(options: &RedisStorageOptions) -> Vec<String> {
        options.problems()
    }

    fn build(options: RedisStorageOptions, cx: &BuildContext) -> Result<Arc<dyn Storage>> {
        let address = options.url.as_ref().or(cx.redis.as_ref()).ok_or_else(|| {
            let message = "the lists are not on a Redis that could be used: name one with `url`";
            Error::new(ErrorKind::Invalid, message)
        })?;
        Ok(Arc::new(Keys::new(address, &options)?))
    }
}
