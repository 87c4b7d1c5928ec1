//! Keeps vCons as JSON files in a folder, one file each.
//!
//! Files lie flat or in a folder for each day of `created_at`, plain or compressed with gzip, named as the Python server
//! names them; what that server wrote is read. A file is whole at every moment: it is written beside its place,
//! synced, and renamed. A save leaves one file for an id, wherever an earlier save put it.
//!
//! * [`options`]: what the file of the conserver says.
//! * `name`: from an id to a file name; no id leads out of the folder.
//! * `days`: which day folders there are, without looking at the files in them.
//! * `archive`: the blocking work on files; `storage` takes it off the async threads.
//! * `error`: what an I/O error means for the vCon.

mod archive;
mod days;
mod error;
mod name;
pub mod options;
mod storage;

use std::sync::Arc;

use conserver_core::Result;
use conserver_core::registry::{BuildContext, StorageKind};
use conserver_core::storage::Storage;

pub use options::FileOptions;
pub use storage::FileStorage;

/// The registry's entry.
#[derive(Debug)]
pub struct File;

impl StorageKind for File {
    const NAME: &'static str = "file";
    const ALIASES: &'static [&'static str] = &["storage.file"];
    type Options = FileOptions;

    fn check(options: &FileOptions) -> Vec<String> {
        options.problems()
    }

    fn build(options: FileOptions, _cx: &BuildContext) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(FileStorage::new(options)))
    }
}
