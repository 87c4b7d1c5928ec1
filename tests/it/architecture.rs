//! The house rules, as far as a program can check them: who may depend on whom, and how files look.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which of our packages each may depend on; `testkit` is for tests only.
const ARROWS: &[(&str, &[&str])] = &[
    ("conserver-vcon", &[]),
    ("conserver-core", &["conserver-vcon"]),
    ("conserver-generator", &["conserver-vcon"]),
    ("conserver-redis", &["conserver-core"]),
    ("conserver-sqlite", &["conserver-core"]),
    ("conserver-api", &["conserver-core"]),
    ("conserver-http", &["conserver-core"]),
    ("conserver-links", &["conserver-core", "conserver-http"]),
    // It reaches a Redis the way that the queue does.
    ("conserver-storage-redis", &["conserver-core", "conserver-redis"]),
    ("conserver-storage-*", &["conserver-core", "conserver-http"]),
    ("conserver-storages", &["conserver-core", "conserver-storage-*"]),
    ("conserver-testkit", &["conserver-core", "conserver-generator", "conserver-vcon"]),
    (
        "conserver",
        &[
            "conserver-api",
            "conserver-core",
            "conserver-generator",
            "conserver-links",
            "conserver-redis",
            "conserver-sqlite",
            "conserver-storages",
            "conserver-vcon",
        ],
    ),
    ("conserver-benches", &["*"]),
];

/// Heavy dependencies, and who alone may have them.
const FENCES: &[(&str, &[&str])] = &[
    ("redis", &["conserver-redis", "conserver-storage-redis", "conserver-benches"]),
    ("sqlx", &["conserver-storage-postgres", "conserver-sqlite", "conserver-benches"]),
    ("axum", &["conserver-api"]),
    ("clap", &["conserver", "conserver-benches"]),
    ("anyhow", &["conserver", "conserver-benches"]),
    // The program: for the TLS of its OTLP exporter alone.
    ("reqwest", &["conserver-http", "conserver"]),
    ("metrics", &["conserver-core", "conserver"]),
    ("opentelemetry", &["conserver-core", "conserver"]),
    ("opentelemetry_sdk", &["conserver"]),
    ("opentelemetry-otlp", &["conserver"]),
    ("jaq-core", &["conserver-links"]),
    ("libloading", &["conserver-links-dynamic"]),
    ("tracing-subscriber", &["conserver", "conserver-benches"]),
    ("rcgen", &["conserver-testkit"]),
];

/// Files longer than this want a reason.
const LONG: usize = 500;
/// The reasons.
const LONG_FOR_A_REASON: &[(&str, &str)] = &[];

/// Files that may say `unsafe`, and why.
const UNSAFE: &[(&str, &str)] = &[
    ("conserver/daemon/slots.rs", "memory that two processes map"),
    ("conserver/vcon/tests/allocation.rs", "an allocator that counts"),
];

/// Names that say nothing.
const BANNED: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc", "manager", "types"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Our packages with their dependencies for real use, by `cargo metadata`.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]).current_dir(root());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let real = dependencies.filter(|dependency| dependency["kind"].is_null());
            (text(&package["name"]), real.map(|dependency| text(&dependency["name"])).collect())
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// `conserver-storage-*` stands for every storage.
fn is(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

#[test]
fn arrows_between_our_packages_point_one_way() {
    for (package, dependencies) in packages() {
        let arrows = ARROWS.iter().find(|(name, _)| is(name, &package));
        let (_, allowed) = arrows.unwrap_or_else(|| panic!("`{package}` has no arrows: add it to the list"));
        for ours in dependencies.iter().filter(|name| name.starts_with("conserver")) {
            assert!(allowed.iter().any(|name| is(name, ours)), "`{package}` must not depend on `{ours}`");
        }
    }
}

#[test]
fn heavy_dependencies_stay_where_they_belong() {
    let packages = packages();
    for (heavy, owners) in FENCES {
        for (package, dependencies) in &packages {
            let may = owners.iter().any(|name| is(name, package));
            assert!(may || !dependencies.contains(*heavy), "`{package}` must not depend on `{heavy}`");
        }
    }
    let pure = &packages["conserver-vcon"];
    assert!(!pure.contains("tokio"), "the document knows no I/O");
}

/// Every Rust file of the project, with its path from the root.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["conserver", "links", "storages", "tests", "benches"].iter().map(|name| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 100, "the sources are where they are looked for");
    found
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<String> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(name, _)| name).collect();
    // A test file beside its module is described by the module.
    let silent: Vec<String> = silent.into_iter().filter(|name| !name.ends_with("/tests.rs")).collect();
    assert!(silent.is_empty(), "no `//!` at the top: {silent:#?}");
}

#[test]
fn no_file_is_long_without_a_reason() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        let excused = LONG_FOR_A_REASON.iter().any(|(file, _)| *file == name);
        assert!(lines <= LONG || excused, "`{name}` has {lines} lines: find its seam, or give a reason");
        assert!(lines > LONG || !excused, "`{name}` needs no reason any more");
    }
}

#[test]
fn no_file_is_named_after_nothing() {
    for (name, _) in sources() {
        let parts = name.trim_end_matches(".rs").split('/');
        let banned: Vec<&str> = parts.filter(|part| BANNED.contains(part)).collect();
        assert!(banned.is_empty(), "`{name}`: {banned:?} says nothing");
    }
}

#[test]
fn unsafe_code_is_where_the_list_says_and_nowhere_else() {
    for (name, text) in sources() {
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        let says = code.clone().any(|line| line.contains("unsafe {") || line.contains("unsafe impl"));
        let listed = UNSAFE.iter().any(|(file, _)| *file == name);
        // This file names what it looks for.
        let own = name == "tests/it/architecture.rs";
        assert!(own || says == listed, "`{name}`: unsafe code: {says}, on the list: {listed}");
    }
}

#[test]
fn only_the_core_reads_the_environment() {
    for (name, text) in sources() {
        let tests = name.contains("/tests/") || name.starts_with("tests/") || name.starts_with("benches/");
        // Cargo tells build scripts everything by the environment.
        let told = name == "conserver/core/src/config/env.rs" || name.ends_with("/build.rs");
        let may = tests || told || name.starts_with("conserver/testkit/");
        let reads = ["env::var(", "env::var_os(", "env::vars("].iter().any(|call| text.contains(call));
        assert!(may || !reads, "`{name}` reads the environment; `config::env` does that");
    }
}
