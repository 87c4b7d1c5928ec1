//! Reads the behaviours off the contracts' documentation, so that no line of it is without a case.

/// The items of the lists under `# Behaviour` in the documentation of a trait, each on one line.
pub(crate) fn behaviours(source: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in source.lines().map(str::trim) {
        let Some(text) = line.strip_prefix("///") else {
            is_inside = false;
            continue;
        };
        let text = text.trim();
        if text.starts_with('#') {
            is_inside = text == "# Behaviour";
        } else if let Some(item) = text.strip_prefix("* ").filter(|_| is_inside) {
            found.push(item.to_owned());
        } else if let Some(last) = found.last_mut().filter(|_| is_inside && !text.is_empty()) {
            last.push(' ');
            last.push_str(text);
        }
    }
    found
}

/// Fails unless every behaviour has a case, and every case a behaviour.
pub(crate) fn assert_covered(behaviours: &[String], cases: &[(&str, &str)]) {
    for line in behaviours {
        assert!(cases.iter().any(|(_, about)| about == line), "no case is about `{line}`");
    }
    for (name, about) in cases {
        assert!(
            behaviours.iter().any(|line| line == about),
            "`{name}` is about no line of the contract: `{about}`"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_of_behaviours_count_and_wrapped_lines_are_joined() {
        let source = "/// First.\n/// * not this\n/// # Behaviour\n/// * one\n///   goes on\n/// * two\n///\n/// # Errors\n/// * no\n";
        assert_eq!(behaviours(source), ["one goes on", "two"]);
    }

    #[test]
    #[should_panic(expected = "no case is about `two`")]
    fn a_line_without_a_case_is_told() {
        assert_covered(&["one".to_owned(), "two".to_owned()], &[("first", "one")]);
    }
}
