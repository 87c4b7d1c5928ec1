//! From the command line and the environment to a plan: reads the file, checks it, says what is wrong.

use std::io::Read;
use std::path::{Path, PathBuf};

use conserver_api::Tls;
use conserver_core::config::env::{self, Vars};
use conserver_core::config::{self, Loaded, Plan, Problem};

use crate::cli::Global;
use crate::wiring::Wiring;
use crate::{output, telemetry};

/// The configuration cannot be used; its problems have been printed.
#[derive(Debug)]
pub(crate) struct Unusable(String);

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

/// A configuration file as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Whether it can be read again: not from a pipe.
    pub(crate) lasts: bool,
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
        let read = || -> std::io::Result<Self> {
            let mut file = std::fs::File::open(path)?;
            let lasts = file.metadata()?.is_file();
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok(Self { path: path.to_owned(), text, lasts })
        };
        read().map_err(|error| {
            let says =
                format!("cannot read the configuration `{}`: {error} ({})", path.display(), way_out(path));
            Unusable(says).into()
        })
    }

    /// The name used in messages.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// What comes of it, with every link and storage built for a try.
    pub(crate) fn load(&self, wiring: &Wiring) -> Loaded {
        self.load_with(wiring, &env::Process)
    }

    /// The same with variables of another place than the environment.
    pub(crate) fn load_with(&self, wiring: &Wiring, vars: &dyn Vars) -> Loaded {
        let (name, registry) = (self.name(), wiring.registry());
        config::load(&self.text, &name, vars, registry).try_build(&name, registry)
    }

    /// The same, with what only a start looks at: the certificate of the API.
    pub(crate) fn load_to_start(&self, wiring: &Wiring) -> Loaded {
        let mut loaded = self.load(wiring);
        let tls = loaded.for_looking().and_then(|plan| plan.settings.api.tls.as_ref()).map(Tls::new);
        if let Some(Err(error)) = tls {
            loaded.found(&self.name(), "api.tls", error);
        }
        loaded
    }

    /// What a start runs, and all problems, which have been told.
    pub(crate) fn for_start(&self, wiring: &Wiring, lenient: bool) -> anyhow::Result<(Plan, Vec<Problem>)> {
        let loaded = self.load_to_start(wiring);
        loaded.problems.iter().for_each(telemetry::problem);
        let Some(plan) = loaded.for_start(lenient).cloned() else {
            let way_out = if loaded.plan.is_some() { " (--lenient runs what is sound)" } else { "" };
            let says = format!("`{}` has {}; nothing was started{way_out}", self.name(), errors(&loaded));
            return Err(Unusable(says).into());
        };
        Ok((plan, loaded.problems))
    }

    /// What a child of a supervisor runs, which has told what is wrong.
    pub(crate) fn for_child(&self, wiring: &Wiring) -> anyhow::Result<Plan> {
        let plan = self.load(wiring).for_start(true).cloned();
        plan.ok_or_else(|| Unusable(format!("`{}` cannot be used", self.name())).into())
    }

    /// What a command that only looks works with, after the errors have been printed.
    pub(crate) fn for_looking(&self, wiring: &Wiring) -> anyhow::Result<Plan> {
        let loaded = self.load(wiring);
        let errors = loaded.problems.iter().filter(|problem| problem.is_error());
        errors.for_each(|problem| output::note(problem.to_string()));
        let plan = loaded.for_looking().cloned();
        plan.ok_or_else(|| {
            Unusable(format!("`{}` cannot be used: mend the errors above", self.name())).into()
        })
    }
}

fn errors(loaded: &Loaded) -> String {
    let errors = loaded.problems.iter().filter(|problem| problem.is_error()).count();
    format!("{errors} error{}", if errors == 1 { "" } else { "s" })
}

/// Loads `.env` of the working directory, as the Python server does; what is set already wins.
pub(crate) fn dotenv() {
    let odd = env::load_dotenv(Path::new(".")).unwrap_or_else(|problem| vec![problem]);
    odd.iter().for_each(|problem| telemetry::warning(problem));
}

/// What to type where a file cannot be read: our own first file may lie where the Python server's is looked for.
fn way_out(path: &Path) -> String {
    let ours = path.with_file_name("chains.yaml");
    if path.file_name().is_some_and(|name| name == "example_config.yml") && ours.is_file() {
        return "did you mean -c chains.yaml?".to_owned();
    }
    "name another with -c FILE or CONSERVER_CONFIG_FILE".to_owned()
}

fn file_of_environment() -> String {
    env::Process.get(env::CONSERVER_CONFIG_FILE).unwrap_or_else(|| "./example_config.yml".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_ours_beside_the_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("example_config.yml");
        assert!(way_out(&missing).contains("CONSERVER_CONFIG_FILE"));
        std::fs::write(folder.path().join("chains.yaml"), "").unwrap();
        assert_eq!(way_out(&missing), "did you mean -c chains.yaml?");
    }
}
