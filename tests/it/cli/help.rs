//! Help reads like documentation, at 80 columns.

use clap::CommandFactory;
use conserver::cli::Cli;

use super::{site, snapshots, transcript};

#[test]
fn help_of_every_command() {
    let site = site("");
    let mut paths = vec![Vec::new()];
    collect(&Cli::command(), &mut Vec::new(), &mut paths);
    assert!(paths.len() > 10);
    snapshots().bind(|| {
        for path in &paths {
            let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
            args.push("--help");
            let name = if path.is_empty() { "help".to_owned() } else { format!("help-{}", path.join("-")) };
            let text = transcript(&site, &args);
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= 80, "`{}` prints {widest} columns:\n{text}", args.join(" "));
            insta::assert_snapshot!(name, text);
        }
    });
}

/// The paths of all commands below this one, `["dlq", "list"]`.
fn collect(command: &clap::Command, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        path.push(sub.get_name().to_owned());
        paths.push(path.clone());
        collect(sub, path, paths);
        path.pop();
    }
}
