//! To come.
use super::Promise;
pub(crate) fn measure() -> anyhow::Result<Vec<Promise>> { Ok(Vec::new()) }
