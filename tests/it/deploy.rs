//! The image, the compose file and the unit against the program: what they name exists.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Parser;
use conserver::cli::{self, Cli};
use conserver_core::config::{env, load};
use conserver_core::registry::Registry;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("`{name}`: {error}"))
}

/// Words of a text that look like variables of ours.
fn variables(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    let ours = |word: &&str| ["CONSERVER_", "VCON_", "REDIS_", "API_"].iter().any(|p| word.starts_with(p));
    words.filter(ours).collect()
}

fn parses(line: &str) -> Cli {
    Cli::try_parse_from(line.split_whitespace()).unwrap_or_else(|error| panic!("`{line}`: {error}"))
}

#[test]
fn every_variable_that_the_deployment_files_set_is_one_the_program_reads() {
    // Compose's own.
    const OF_COMPOSE: &[&str] = &["CONSERVER_EXTERNAL_PORT"];
    for file in [
        "Dockerfile",
        "compose.yaml",
        "deploy/compose/docker-compose.yml",
        "deploy/conserver.service",
        "deploy/docker/health",
    ] {
        let text = read(file);
        for name in variables(&text) {
            let known = env::ALL.iter().any(|variable| variable.name == name) || OF_COMPOSE.contains(&name);
            assert!(known, "{file}: nothing reads `{name}`");
        }
    }
    assert!(variables(&read("compose.yaml")).contains(&"REDIS_URL"));
}

#[test]
fn the_commands_of_the_unit_and_the_image_are_commands_of_the_program() {
    let unit = read("deploy/conserver.service");
    let commands: Vec<&str> = unit
        .lines()
        .filter(|line| line.starts_with("ExecStart"))
        .filter_map(|line| line.split_once("=/usr/local/bin/").map(|(_, command)| command))
        .collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert!(matches!(parses(commands[0]).command, cli::Command::Check(_)));
    assert!(matches!(parses(commands[1]).command, cli::Command::Run(_)));

    let image = read("Dockerfile");
    assert!(image.contains("ENTRYPOINT [\"conserver\"]") && image.contains("CMD [\"run\"]"));
    assert!(matches!(parses("conserver run").command, cli::Command::Run(_)));
}

#[test]
fn the_compose_file_for_tools_of_the_python_server_has_what_they_look_for() {
    let compose = read("deploy/compose/docker-compose.yml");
    let services = compose.lines().skip_while(|line| *line != "services:").skip(1);
    let services = services.take_while(|line| line.is_empty() || line.starts_with(' '));
    let names: Vec<&str> = services.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':')).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !name.starts_with(' ')).collect();
    assert_eq!(names, ["conserver", "api", "redis"]);
    for command in compose.lines().filter_map(|line| line.trim().strip_prefix("command: [")) {
        let words = command.trim_end_matches(']').replace(',', "");
        if !words.starts_with("redis-server") {
            parses(&format!("conserver {words}"));
        }
    }
    assert!(compose.contains("./config.yml:"));

    let mut registry = Registry::new();
    conserver_links::register(&mut registry);
    conserver_storages::register(&mut registry);
    let unset: BTreeMap<String, String> = BTreeMap::new();
    let loaded = load(&read("deploy/compose/config.yml"), "config.yml", &unset, &registry);
    assert_eq!(loaded.problems, []);
    let lists: Vec<String> = loaded.plan.unwrap().ingress_lists().iter().map(ToString::to_string).collect();
    assert_eq!(lists, ["default"], "the list whose length the tools show");
}

#[test]
fn the_image_takes_files_and_steps_that_exist() {
    let image = read("Dockerfile");
    let steps = read("deploy/docker/steps");
    for line in image.lines() {
        if let Some(step) = line.strip_prefix("RUN steps ") {
            let step = step.split_whitespace().next().unwrap();
            assert!(steps.contains(&format!("    {step})\n")), "`{line}`: no such step");
        }
        let sources = line.strip_prefix("COPY ").filter(|copy| !copy.starts_with("--"));
        if let Some(source) = sources.and_then(|copy| copy.split_whitespace().next()) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
            assert!(path.exists(), "`{line}`: no such file");
        }
    }
    let toolchain = read("rust-toolchain.toml");
    let version =
        toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    let minor = version.rsplit_once('.').unwrap().0;
    assert!(
        image.contains(&format!("FROM rust:{minor}-")),
        "the image builds with another Rust than {version}"
    );
}

#[test]
fn the_scripts_of_the_image_are_bash() {
    for script in ["deploy/docker/steps", "deploy/docker/health"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
        let output = Command::new("bash").arg("-n").arg(path).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
