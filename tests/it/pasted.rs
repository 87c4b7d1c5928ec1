//! The first steps of the docs, typed as they stand there: by a newcomer who pastes them line by line.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use conserver_testkit::daemon::{Daemon, Setup};
use conserver_testkit::redis::RedisServer;

use crate::api::ask;
use crate::site::until;

/// A shell in a folder with the samples, the program on its path.
fn shell() -> (Setup, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_conserver"));
    let folder = program.parent().unwrap().display();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let setup = Setup::new("/bin/bash", "")
        .env("PATH", path)
        .env("CONSERVER_CONFIG_FILE", "first.yaml")
        .env("CONSERVER_LISTEN", &address);
    symlink(root().join("samples"), setup.folder().join("samples")).unwrap();
    (setup, address)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

/// The lines of all blocks of a language.
fn lines<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}");
    let mut lines = page.lines();
    let mut found = Vec::new();
    while lines.by_ref().any(|line| line == fence) {
        found.extend(lines.by_ref().take_while(|line| *line != "```"));
    }
    found
}

/// Saves the configuration of a page and types its commands; those that build or install have been run by whoever
/// runs this test. Answers the daemon that it started.
fn paste(setup: &Setup, page: &str) -> Daemon {
    fs::write(setup.folder().join("first.yaml"), lines(page, "yaml").join("\n")).unwrap();
    let mut daemon = None;
    let mut typed = 0;
    for line in lines(page, "sh") {
        let line = line.split('#').next().unwrap_or_default().trim_end();
        let line = line.strip_prefix("cargo install --path . && ").unwrap_or(line);
        if let Some(background) = line.strip_suffix(" &").filter(|line| line.starts_with("conserver run")) {
            daemon = Some(setup.start(&["-c", &format!("exec {background}")]));
        } else if line.starts_with("conserver ") {
            let output = setup.command(&["-c", line]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            // `doctor` has something to say about a Redis that keeps nothing on disk.
            assert!(output.status.success() || line.contains("doctor"), "{line}: {said}");
            assert!(!said.contains("error:"), "{line}: {said}");
            typed += 1;
        }
    }
    assert!(typed >= 3, "{typed} commands are on the page");
    daemon.expect("the page starts the daemon")
}

/// How many vCons were stored.
fn stored(setup: &Setup) -> usize {
    let output = setup.command(&["-c", "find archive -name '*.json' | wc -l"]);
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
}

#[test]
fn the_quick_start_stores_the_samples_and_the_api_page_goes_on_from_there() {
    let (setup, address) = shell();
    let daemon = paste(&setup, &read("docs/src/quick-start.md"));
    until("the samples are stored", || stored(&setup) == 5);
    setup.command(&["-c", "rm -r archive/*"]);

    let mut posts = 0;
    let page = read("docs/src/api/index.md");
    for line in lines(&page, "sh").into_iter().filter(|line| line.contains("localhost:8000")) {
        let (_, target) = line.rsplit_once("localhost:8000").unwrap();
        let target = target.trim_end_matches('\'');
        let file = line.split(" @").nth(1).and_then(|rest| rest.split(' ').next());
        match file {
            Some(file) => {
                let body = read(file);
                until("it is taken", || {
                    ask(&address, &format!("POST {target}"), "", &body)
                        .is_some_and(|(status, _)| status == 201)
                });
                until("it is stored", || stored(&setup) == 1);
                posts += 1;
            }
            // A stream does not end.
            None if target.starts_with("/events") => {}
            None => {
                let (mut status, mut said) = (0, String::new());
                until("it answers", || {
                    ask(&address, &format!("GET {target}"), "", "").is_some_and(|(is, text)| {
                        (status, said) = (is, text);
                        true
                    })
                });
                assert_eq!(status, 200, "{line}: {said}");
            }
        }
    }
    assert_eq!(posts, 1);
    drop(daemon);
}

#[test]
fn the_readme_stores_the_samples() {
    let redis = RedisServer::start();
    let (setup, _) = shell();
    let setup = setup.env("REDIS_URL", redis.url());
    let daemon = paste(&setup, &read("README.md"));
    until("the samples are stored", || stored(&setup) == 5);
    drop(daemon);
}

#[test]
fn the_samples_keep_the_rules_and_the_one_that_does_not_says_so() {
    let (setup, _) = shell();
    for profile in ["ingest", "core-04"] {
        for (name, is_clean) in
            [("call", true), ("chat", true), ("mail", true), ("audio", true), ("legacy", false)]
        {
            let line = format!("conserver validate --strict --profile {profile} samples/{name}.vcon.json");
            let output = setup.command(&["-c", &line]);
            assert_eq!(
                output.status.success(),
                is_clean,
                "{line}: {}",
                String::from_utf8_lossy(&output.stdout)
            );
            let says_so = read(&format!("samples/{name}.vcon.json")).contains("in the format of 0.0.1");
            assert_eq!(says_so, !is_clean, "{name}");
        }
    }
}
