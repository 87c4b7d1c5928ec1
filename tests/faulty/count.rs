//! A link that counts: a second run shows, and so does one whose change was lost.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::link::{Link, LinkContext, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::Vcon;
use conserver_core::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// Options of `test.count`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct CountOptions {
    /// File that gets a line for each run: the id, the chain and the process.
    file: Option<PathBuf>,
    /// How long to wait between reading the count and returning it, in seconds.
    seconds: f64,
}

/// `test.count`.
pub(crate) struct Count {
    file: Option<PathBuf>,
    time: Duration,
}

impl LinkKind for Count {
    const NAME: &'static str = "test.count";
    const ALIASES: &'static [&'static str] = &[];
    type Options = CountOptions;

    fn build(options: CountOptions, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        Ok(Arc::new(Self { file: options.file, time: Duration::from_secs_f64(options.seconds) }))
    }
}

#[async_trait]
impl Link for Count {
    async fn run(&self, cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        let mut vcon = vcon.ok_or_else(|| Error::new(ErrorKind::Internal, "no document"))?;
        let runs: u64 = vcon.raw("runs").and_then(|text| text.parse().ok()).unwrap_or(0);
        if let Some(path) = &self.file {
            let line = format!("{} {} {}\n", cx.id, cx.chain, std::process::id());
            let file = OpenOptions::new().create(true).append(true).open(path);
            let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
            written
                .map_err(|error| Error::new(ErrorKind::Internal, "cannot write the count").source(error))?;
        }
        tokio::time::sleep(self.time).await;
        vcon.set("runs", &(runs + 1).to_string())
            .map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))?;
        Ok(LinkOutcome::next(Some(vcon)))
    }
}
