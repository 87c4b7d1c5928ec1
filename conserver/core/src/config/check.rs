//! From what the file says to a plan: names resolved, options looked at, everything that is odd told.
//!
//! Pure: nothing is connected, built or spawned. What is wrong in one chain does not stop the others: a chain that
//! names something this build does not have is blocked, and its ids wait.

mod adapters;
mod chains;
mod legacy;
mod lint;

use self::adapters::Adapters;
use super::env::{self, Vars};
use super::plan::Plan;
use super::problem::Severity;
use super::raw::RawFile;
use super::report::Report;
use super::settings::Settings;
use super::yaml::{Path, decode};
use crate::registry::Registry;

/// Reads the tree of the report as a file and makes a plan of it, with everything wrong in the report.
pub(super) fn check(
    file_name: &str,
    vars: &dyn Vars,
    registry: &Registry,
    report: &mut Report<'_>,
) -> Option<Plan> {
    let decoded = decode::<RawFile>(report.root(), &Path::root());
    report.flaws(decoded.flaws);
    // `x-…` at the top is where anchors are kept; both dialects let it be.
    let unknown = decoded.unknown.into_iter();
    report.unknown(
        unknown.filter(|unknown| unknown.path.steps().len() > 1 || !unknown.key.starts_with("x-")).collect(),
    );
    // With too much wrong there is nothing to look at further.
    let raw = decoded.value?;

    let version = Path::root().key("conserver");
    if raw.conserver.is_some_and(|version| version != 1) {
        report.error(&version, "this build reads version 1").hint("write `conserver: 1`");
    }
    legacy::notes(&raw, report);
    let settings = Settings::resolve(file_name, &raw, vars, report);
    backend(&raw, &settings, registry, report);
    let adapters = adapters::check(&raw, registry, report);
    let chains = chains::check(&raw, &settings, &adapters, report);
    lint::lint(&raw, &chains, report);
    let Adapters { links, storages, .. } = adapters;
    Some(Plan { dialect: report.dialect(), settings, chains, links, storages, mistakes: Vec::new() })
}

/// An address of Redis that cannot be used is told where it stands: in the file, else in the environment.
fn backend(raw: &RawFile, settings: &Settings, registry: &Registry, report: &mut Report<'_>) {
    let Some(Err(error)) = settings.redis_url.as_ref().map(|address| registry.check_redis(address)) else {
        return;
    };
    let problem = match raw.redis {
        Some(_) => report.error(&Path::root().key("redis"), error.chain()),
        None => report.variable(Severity::Error, env::REDIS_URL, error.chain()),
    };
    problem.hint("write `redis://[user:password@]host[:port][/db]`, with special characters as `%40`");
}
