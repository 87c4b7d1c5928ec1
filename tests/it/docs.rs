//! The docs against the program: every example loads, every key, option, variable and command is explained, every
//! test that the guarantee names exists, and every link leads somewhere.
//!
//! A block marked `yaml` is a whole configuration, to be pasted. `yaml,fragment` is less than that and is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use conserver::cli::Cli;
use conserver_core::config::env::{self, Vars};
use conserver_core::config::{load, schema};
use conserver_core::figure::{self, Kind};
use conserver_core::registry::Registry;
use conserver_testkit::vcons::Vcons;
use serde_json::Value;

/// An environment in which every secret is set and nothing else is.
struct Given;

impl Vars for Given {
    fn get(&self, name: &str) -> Option<String> {
        let known =
            env::ALL.iter().map(|variable| variable.name).chain(env::DEAD.iter().map(|(name, _)| *name));
        let is_ours = known.into_iter().any(|known| known == name);
        (!is_ours || name == env::CONSERVER_API_TOKEN).then(|| "given".to_owned())
    }
}

/// A YAML block of a page.
struct Example {
    place: String,
    text: String,
}

#[test]
fn every_example_of_the_docs_loads_without_a_problem() {
    let examples: Vec<Example> = pages().iter().flat_map(|page| examples_of(page)).collect();
    assert!(examples.len() > 10, "only {} examples were found", examples.len());
    let registry = registry();
    for Example { place, text } in examples {
        let loaded = load(&text, &place, &Given, &registry);
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        assert!(problems.is_empty() && loaded.plan.is_some(), "{place}:\n{text}\n{}", problems.join("\n"));
    }
}

#[test]
fn the_first_examples_load_where_no_variable_is_set() {
    let unset: BTreeMap<String, String> = BTreeMap::new();
    for page in ["README.md", "docs/src/quick-start.md", "docs/src/configuration.md"] {
        for Example { place, text } in examples_of(&root().join(page)) {
            let loaded = load(&text, &place, &unset, &registry());
            assert!(!loaded.has_errors(), "{place}: {:?}", loaded.problems);
        }
    }
}

#[test]
fn the_sample_pipeline_loads_without_a_problem() {
    let loaded = load(&read("chains.yaml"), "chains.yaml", &Given, &registry());
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, [""; 0]);
    let plan = loaded.plan.expect("a file without problems is a plan");
    let chains: Vec<&str> = plan.chains.iter().map(|chain| chain.name.as_str()).collect();
    assert_eq!(chains, ["intake", "review"]);
}

#[test]
fn the_samples_are_those_of_the_generator() {
    let mut vcons = Vcons::new(2026);
    let samples = [
        ("call", vcons.call()),
        ("chat", vcons.chat()),
        ("mail", vcons.mail()),
        ("legacy", vcons.legacy()),
        ("audio", vcons.with_audio(2000)),
    ];
    for (name, sample) in samples {
        let path = root().join(format!("samples/{name}.vcon.json"));
        let text = serde_json::to_string_pretty(&sample).expect("a JSON value serialises") + "\n";
        if std::env::var("CONSERVER_SAMPLES").is_ok_and(|what| what == "write") {
            fs::write(&path, &text).expect("samples can be written");
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == text,
            "`{}` is stale: CONSERVER_SAMPLES=write cargo test --test it docs",
            path.display()
        );
    }
}

#[test]
fn every_variable_stands_in_the_environment_table_with_its_default() {
    let page = read("docs/src/environment.md");
    for variable in env::ALL {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", variable.name)));
        let row = row.unwrap_or_else(|| panic!("`{}` is not in the environment table", variable.name));
        assert!(row.contains(&format!("| `{}` |", variable.default)) || variable.default.is_empty(), "{row}");
    }
    for (name, _) in env::DEAD {
        assert!(page.contains(&format!("`{name}`")), "`{name}` is not on the page");
    }
}

#[test]
fn every_figure_stands_in_the_table_of_metrics() {
    let page = read("docs/src/metrics.md");
    for figure in figure::ALL {
        let kind = match figure.kind {
            Kind::Counter => "counter",
            Kind::Sum | Kind::Greatest => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels: Vec<String> = figure.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
        let (name, otlp, help) = (figure.prometheus_name(), figure.name, figure.help);
        let row = format!("| `{name}` | `{otlp}` | {kind} | {labels} | {help}. |");
        assert!(page.contains(&row), "this row is not on the page of metrics:\n{row}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| `conserver_")).count();
    assert_eq!(rows, figure::ALL.len(), "the page has rows of figures that there are not");
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_figures_that_there_are() {
    let dashboard = read("deploy/grafana.json");
    let shown: Value = serde_json::from_str(&dashboard).expect("the dashboard is JSON");
    assert!(shown["panels"].as_array().is_some_and(|panels| panels.len() > 10));
    let names: Vec<String> = figure::ALL.iter().map(|figure| figure.prometheus_name()).collect();
    let text = dashboard + &read("docs/src/metrics.md");
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let asked: BTreeSet<&str> =
        text.split(|c| !is_part(c)).filter(|word| word.starts_with("conserver_")).collect();
    assert!(asked.len() >= names.len(), "the page names every figure");
    for name in asked {
        let figure = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
        let known = |name: &str| names.iter().any(|figure| figure == name);
        assert!(known(name) || figure.is_some_and(known), "there is no figure `{name}`");
    }
}

#[test]
fn every_key_of_the_configuration_is_explained() {
    let schema = schema(&registry());
    let page = read("docs/src/configuration.md");
    let parts =
        ["Chain", "Link", "Storage", "Redelivery", "Retry", "Breaker", "Limits", "Api", "Key", "RedisMap"];
    let parts = parts.map(|part| &schema["$defs"][part]);
    for part in parts.iter().chain([&&schema]) {
        for key in keys_of(part) {
            assert!(page.contains(&format!("`{key}`")), "`{key}` is not explained");
        }
    }
}

#[test]
fn every_option_stands_in_the_table_of_its_page() {
    let registry = registry();
    let schema = schema(&registry);
    let links = registry.links().map(|kind| ("links", kind));
    for (family, kind) in links.chain(registry.storages().map(|kind| ("storages", kind))) {
        let page = read(&format!("docs/src/{family}/{kind}.md"));
        for option in keys_of(&schema["$defs"][format!("{}Options", camel(kind))]) {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{option}` ")));
            assert!(row.is_some(), "`{option}` is not in the table of `{kind}`");
        }
    }
}

#[test]
fn every_command_and_every_flag_is_on_a_page() {
    let pages = read("docs/src/command-line.md") + &read("docs/src/failures.md");
    let mut commands: Vec<clap::Command> = vec![Cli::command()];
    while let Some(command) = commands.pop() {
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let Some(flag) = argument.get_long().filter(|flag| !["help", "version", "config"].contains(flag))
            else {
                continue;
            };
            assert!(pages.contains(&format!("--{flag}")), "`{} --{flag}` is on no page", command.get_name());
        }
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let name = sub.get_name();
            let is_there = [format!("`{name} "), format!("`{name}`"), format!("`dlq {name}")];
            assert!(is_there.iter().any(|text| pages.contains(text)), "`{name}` is on no page");
            commands.push(sub.clone());
        }
    }
}

#[test]
fn every_test_that_the_guarantee_names_exists() {
    let mut sources = String::new();
    for folder in ["tests", "conserver", "links", "storages"] {
        for file in files_below(&root().join(folder), "rs") {
            sources += &fs::read_to_string(file).expect("sources can be read");
        }
    }
    let page = read("docs/src/guarantee.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| clause"));
    let names: BTreeSet<&str> = rows
        .filter_map(|row| row.trim_end_matches(" |").rsplit('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(names.len() > 20, "only {} tests are named", names.len());
    for name in names {
        assert!(sources.contains(&format!("fn {name}(")), "there is no test `{name}`");
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page can be read");
        for target in targets_of(&text) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page.clone() } else { folder_of(&page).join(file) };
            assert!(path.exists(), "{}: `{target}` leads nowhere", page.display());
            let headings = || anchors_of(&fs::read_to_string(&path).unwrap_or_default());
            assert!(
                anchor.is_empty() || headings().contains(anchor),
                "{}: `{target}` names no heading",
                page.display()
            );
        }
    }
}

#[test]
fn every_block_of_code_says_its_language() {
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page can be read");
        let fences = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("```"));
        for (number, line) in fences.step_by(2) {
            assert!(line.trim() != "```", "{}:{}: a block of what?", page.display(), number + 1);
        }
    }
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = read("docs/src/SUMMARY.md");
    let listed: BTreeSet<PathBuf> =
        targets_of(&summary).into_iter().map(|target| root().join("docs/src").join(target)).collect();
    let mut there: BTreeSet<PathBuf> = files_below(&root().join("docs/src"), "md").into_iter().collect();
    there.remove(&root().join("docs/src/SUMMARY.md"));
    assert_eq!(listed, there);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("`{name}`: {error}"))
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    conserver_links::register(&mut registry);
    conserver_storages::register(&mut registry);
    registry
}

/// All pages: the book, and the files at the root.
fn pages() -> Vec<PathBuf> {
    let mut pages = files_below(&root().join("docs/src"), "md");
    let at_the_root = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    pages.extend(at_the_root.map(|name| root().join(name)));
    pages
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("`{}`: {error}", folder.display())).flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn folder_of(page: &Path) -> &Path {
    page.parent().expect("a file lies in a folder")
}

/// The blocks of a page that are marked `yaml` and nothing else.
fn examples_of(page: &Path) -> Vec<Example> {
    let text = fs::read_to_string(page).expect("a page can be read");
    let mut examples = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim_end() == "```yaml" {
            let block: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| !line.starts_with("```")).collect();
            examples.push(Example {
                place: format!("{}:{}", page.display(), number + 1),
                text: block.join("\n"),
            });
        }
    }
    examples
}

fn keys_of(part: &Value) -> Vec<String> {
    let properties = part["properties"].as_object().expect("a part of the schema has properties");
    properties.keys().cloned().collect()
}

/// `tag_router` as `TagRouter`.
fn camel(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').map(word).collect()
}

/// Targets of links, those of other sites left out.
fn targets_of(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

/// What headings are called in links.
fn anchors_of(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    headings
        .map(|heading| {
            let letters = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = letters.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}
