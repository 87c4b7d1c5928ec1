//! Which vCons a faulty link is meant for.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use conserver_core::vcon::Vcon;
use schemars::JsonSchema;
use serde::Deserialize;

/// Options that all faulty links share.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Meant {
    /// Only vCons with this subject. Default: all.
    pub(crate) subject: Option<String>,
    /// Only so many times for each vCon, counted in `marks`. Default: always.
    pub(crate) times: Option<usize>,
    /// File that gets a line with the id for each time. It outlives the process, which may not.
    pub(crate) marks: Option<PathBuf>,
}

impl Meant {
    /// Whether this vCon is meant now; if so, that is marked.
    pub(crate) fn is(&self, vcon: &Vcon) -> bool {
        let subject = vcon.text("subject");
        if self.subject.as_deref().is_some_and(|wanted| subject.as_deref() != Some(wanted)) {
            return false;
        }
        let Some(marks) = &self.marks else { return true };
        let id = vcon.id().as_str();
        let before = fs::read_to_string(marks).unwrap_or_default().lines().filter(|line| *line == id).count();
        if self.times.is_some_and(|times| before >= times) {
            return false;
        }
        let mut file =
            OpenOptions::new().create(true).append(true).open(marks).expect("marks can be written");
        file.write_all(format!("{id}\n").as_bytes()).expect("marks can be written");
        true
    }
}
