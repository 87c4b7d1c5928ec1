//! Whatever stands in a file, loading it ends with an answer.

use conserver_core::config::load;
use proptest::prelude::*;

use crate::{environment, kinds};

/// Pieces of configurations, for texts that are nearly right.
const PIECES: &[&str] = &[
    "conserver: 1\n",
    "links:\n",
    "storages:\n",
    "chains:\n",
    "  a:\n",
    "    module: mark\n",
    "    module: [x]\n",
    "    options: {marks: 5, again: maybe}\n",
    "    options: ~\n",
    "    ingress_lists: [a, {b: c}, 5]\n",
    "    links: a\n",
    "    links: [a, zz]\n",
    "    timeout: 30\n",
    "    timeout: -3s\n",
    "    <<: *x\n",
    "  b: &x\n",
    "  <<: {a: 1}\n",
    "api: {keys: [{key: ''}]}\n",
    "${X}",
    "'${CASE_SECRET}'\n",
    "x-a: &x {timeout: 3s}\n",
    "redis: {url: 5}\n",
    "retry: {attempts: 0}\n",
    "- ",
    "\t",
    "---\n",
    "...\n",
    "? ",
    "!!int x\n",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "\"",
    "'",
    "|\n",
    "file:/nonexistent\n",
    "\u{0}",
    "é\n",
    "\r\n",
    "limits: {max_document_bytes: 99999999999999999999GB}\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = load(&text, "chains.yaml", &environment(), &kinds::registry());
    }

    #[test]
    fn shuffled_configurations_never_panic_and_never_show_a_secret(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)
    ) {
        let loaded = load(&pieces.concat(), "chains.yaml", &environment(), &kinds::registry());
        for problem in &loaded.problems {
            prop_assert!(!problem.to_string().contains("hunter2"), "{}", problem);
        }
        prop_assert!(!loaded.shown.to_string().contains("hunter2"));
        let places: Vec<_> = loaded.problems.iter().map(|problem| (problem.line, problem.column)).collect();
        prop_assert!(places.is_sorted());
        prop_assert!(loaded.plan.is_some() || loaded.has_errors());
    }
}

#[test]
fn a_file_at_the_limits_is_answered() {
    for timeout in ["soon", "5s"] {
        let mut text = "links:\n".to_owned();
        for n in 0..7_000 {
            text += &format!("  l{n}: {{module: mark, x: 1, timeout: {timeout}}}\n");
        }
        text += "chains:\n";
        for n in 0..2_500 {
            let next = (n + 1) % 2_500;
            text += &format!("  c{n}: {{ingress_lists: [q{n}], links: [l{n}], egress_lists: [q{next}]}}\n");
        }
        let start = std::time::Instant::now();
        let loaded = load(&text, "chains.yaml", &environment(), &kinds::registry());
        assert_eq!(loaded.plan.is_none(), timeout == "soon");
        assert!(loaded.problems.len() >= 100);
        // A generous bound: what grows with the square of a file would take minutes.
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "{:?}", start.elapsed());
    }
}
