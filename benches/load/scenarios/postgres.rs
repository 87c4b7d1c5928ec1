//! To come.
use super::Promise;
pub(crate) fn measure(_rounds: usize) -> anyhow::Result<Vec<Promise>> { Ok(Vec::new()) }
