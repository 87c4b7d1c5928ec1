//! What the Python server has and this one has not, or treats otherwise: each is recognised, with a word about what
//! becomes of it.

use crate::config::plan::Dialect;
use crate::config::raw::RawFile;
use crate::config::report::Report;
use crate::config::yaml::Path;

/// Sections that must not be null in the Python server.
const SECTIONS: &[&str] = &["links", "storages", "chains", "tracers", "followers", "imports", "ingress_auth"];

/// Says what becomes of each.
pub(super) fn notes(raw: &RawFile, report: &mut Report<'_>) {
    let root = Path::root();
    null_sections(report);
    if raw.followers.is_some() {
        report
            .warning(&root.key("followers"), "followers are not run: nothing is pulled from other servers")
            .hint("let the other server post to this one, with a webhook in its chain");
    }
    if raw.imports.is_some() {
        report
            .warning(&root.key("imports"), "nothing is imported, and no code is installed while vCons wait")
            .hint("name what a chain needs as the `module` of a link");
    }
    if raw.tracers.is_some() {
        report
            .warning(&root.key("tracers"), "tracers are not called")
            .hint("spans of every chain and link go to `OTEL_EXPORTER_OTLP_ENDPOINT`");
    }
    links(raw, report);
    chains(raw, report);
}

fn null_sections(report: &mut Report<'_>) {
    if report.dialect() == Dialect::Ours {
        return;
    }
    let root = report.root();
    for section in SECTIONS {
        let Some(entry) = root.entry(section).filter(|entry| entry.value.is_null()) else { continue };
        let message = "null is taken as an empty section, where the Python server fails".to_owned();
        report.quirk_at(&Path::root().key(*section), entry.mark, message);
    }
    for chain in root.get("chains").into_iter().flat_map(|chains| chains.entries()) {
        if chain.value.is_null() {
            let path = Path::root().key("chains").key(&chain.key);
            let message =
                "null is taken as a chain without anything, where the Python server fails".to_owned();
            report.quirk_at(&path, chain.mark, message);
        }
    }
}

fn links(raw: &RawFile, report: &mut Report<'_>) {
    for (name, link) in &raw.links {
        let path = Path::root().key("links").key(name);
        for (key, is_there) in
            [("ingress-lists", link.ingress_lists.is_some()), ("egress-lists", link.egress_lists.is_some())]
        {
            if is_there {
                report
                    .warning(&path.key(key), "ignored: lists belong to chains")
                    .hint(format!("name them under `{}` of a chain", key.replace('-', "_")));
            }
        }
        if link.pip_name.is_some() {
            report
                .warning(&path.key("pip_name"), "ignored: nothing is installed while vCons wait")
                .hint("install the package beforehand");
        }
    }
}

fn chains(raw: &RawFile, report: &mut Report<'_>) {
    for (name, chain) in &raw.chains {
        let path = Path::root().key("chains").key(name);
        if chain.tracers.is_some() {
            report
                .warning(&path.key("tracers"), "ignored, as the Python server does")
                .hint("spans go to `OTEL_EXPORTER_OTLP_ENDPOINT`");
        }
        // `enabled: 1` says what happens anyway.
        let is_off = chain.enabled.is_some_and(|enabled| !enabled.0);
        if is_off && report.dialect() == Dialect::Reference {
            report
                .warning(&path.key("enabled"), "ignored, as the Python server does: the chain runs")
                .hint("take away its `ingress_lists`, or write `conserver: 1` at the top, to stop it");
        }
    }
}
