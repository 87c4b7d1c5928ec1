//! Configurations as operators write them: each file of `config/cases` with the full text of what is said about it,
//! and what the plan is.

#[path = "config/kinds.rs"]
mod kinds;
#[path = "config/plans.rs"]
mod plans;
#[path = "config/robustness.rs"]
mod robustness;
#[path = "config/rules.rs"]
mod rules;
#[path = "config/schema.rs"]
mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use conserver_core::config::plan::ChainPlan;
use conserver_core::config::{Loaded, load};

/// The environment of every case: no key missing, nothing else set but what cases refer to.
fn environment() -> BTreeMap<String, String> {
    [("CONSERVER_API_TOKEN", "open-sesame"), ("CASE_SECRET", "hunter2"), ("CASE_WORKERS", "3")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn load_text(text: &str) -> Loaded {
    load(text, "chains.yaml", &environment(), &kinds::registry())
}

/// What an operator sees: the problems as the terminal shows them, then what would run.
fn report(loaded: &Loaded) -> String {
    let problems = loaded.problems.iter().map(|problem| format!("{problem}\n"));
    let Some(plan) = &loaded.plan else { return problems.collect::<String>() + "no plan\n" };
    let chains = plan.chains.iter().map(|chain| {
        let blocked = chain.blocked.as_ref().map_or(String::new(), |why| format!(", blocked: {why}"));
        let ChainPlan { name, ingress, links, storages, egress, .. } = chain;
        format!("chain {name}: {ingress:?} → {links:?} → {storages:?} → {egress:?}{blocked}\n")
    });
    problems.chain(chains).collect()
}

fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/cases");
    let entries = std::fs::read_dir(directory).expect("the cases stand beside this file");
    let entries = entries.map(|entry| entry.expect("a folder of the checkout can be read").path());
    let mut cases: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    cases.sort();
    cases
}

/// `CONSERVER_BLESS=1` writes the expectations anew, to be read before they are committed.
#[test]
fn each_case_is_told_as_expected() {
    let bless = std::env::var_os("CONSERVER_BLESS").is_some();
    let mut wrong = String::new();
    let cases = cases();
    assert!(cases.len() >= 20, "only {} cases were found", cases.len());
    for case in cases {
        let text = std::fs::read_to_string(&case).unwrap();
        let report = report(&load_text(&text));
        assert!(!report.contains("hunter2"), "{}: a secret is shown:\n{report}", case.display());
        let expected_file = case.with_extension("expected");
        if bless {
            std::fs::write(&expected_file, &report).unwrap();
        }
        let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
        if report != expected {
            wrong += &format!("{}\n--- expected\n{expected}--- said\n{report}\n", case.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_line_of_a_problem_is_wider_than_a_terminal() {
    for case in cases() {
        for problem in load_text(&std::fs::read_to_string(&case).unwrap()).problems {
            for line in problem.to_string().lines() {
                // A single word, such as a long path, cannot be broken.
                let is_one_word = !line.trim().contains(' ');
                assert!(line.chars().count() <= 80 || is_one_word, "{}: {line}", case.display());
            }
        }
    }
}
