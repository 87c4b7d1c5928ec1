//! From the command line and the environment to a plan: reads the file, checks it, says what is wrong.

use std::path::{Path, PathBuf};

use anyhow::Context;
use conserver_core::config::env::{self, Vars};
use conserver_core::config::{self, Plan, Problem};

use crate::cli::Global;
use crate::output;
use crate::wiring::Wiring;

/// The configuration cannot be used; its problems have been printed.
#[derive(Debug)]
pub(crate) struct Unusable {
    file: String,
    errors: usize,
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.errors == 1 { "" } else { "s" };
        write!(f, "`{}` has {} error{plural}; nothing was started", self.file, self.errors)
    }
}

impl std::error::Error for Unusable {}

/// A configuration file as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl File {
    /// Reads the file that the command line names, or else the environment.
    pub(crate) fn read(global: &Global) -> anyhow::Result<Self> {
        dotenv();
        let path = global.config.clone().unwrap_or_else(|| PathBuf::from(file_of_environment()));
        Self::read_at(&path)
    }

    /// Reads this file.
    pub(crate) fn read_at(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "cannot read the configuration `{}` (name another with -c FILE or CONSERVER_CONFIG_FILE)",
                path.display()
            )
        })?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// The name used in messages.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Checks it; answers the plan, if it can be used, and every problem.
    pub(crate) fn check(&self, wiring: &Wiring) -> (Option<Plan>, Vec<Problem>) {
        let (name, registry) = (self.name(), wiring.registry());
        let loaded = config::load(&self.text, &name, &env::Process, registry).try_build(&name, registry);
        (loaded.plan, loaded.problems)
    }

    /// The plan, or an error after all problems have been printed. Warnings are printed too.
    pub(crate) fn plan(&self, wiring: &Wiring) -> anyhow::Result<Plan> {
        self.plan_with(wiring, true)
    }

    /// The same without the warnings: somebody has printed them, or they are not this command's subject.
    pub(crate) fn plan_quietly(&self, wiring: &Wiring) -> anyhow::Result<Plan> {
        self.plan_with(wiring, false)
    }

    fn plan_with(&self, wiring: &Wiring, warnings: bool) -> anyhow::Result<Plan> {
        let (plan, problems) = self.check(wiring);
        for problem in problems.iter().filter(|problem| warnings || problem.is_error()) {
            output::note(problem.to_string());
        }
        let errors = problems.iter().filter(|problem| problem.is_error()).count();
        plan.ok_or_else(|| Unusable { file: self.name(), errors }.into())
    }
}

/// Loads `.env` of the working directory, as the Python server does; what is set already wins.
pub(crate) fn dotenv() {
    if let Err(problem) = env::load_dotenv(Path::new(".")) {
        output::note(format!("warning: .env: {problem}"));
    }
}

fn file_of_environment() -> String {
    env::Process.get(env::CONSERVER_CONFIG_FILE).unwrap_or_else(|| "./example_config.yml".to_owned())
}
