//! Ids as they should not be: what a producer did to them on the way.

/// What is odd about an id, and what its producer should do; `None` for one that looks right.
pub(super) fn hint(id: &str) -> Option<&'static str> {
    let trimmed = id.trim();
    let is_in_quotes = |quote| trimmed.len() > 1 && trimmed.starts_with(quote) && trimmed.ends_with(quote);
    if id.is_empty() {
        Some("the id is empty")
    } else if trimmed.starts_with(['{', '[']) {
        Some("this looks like JSON: what goes on a list is the id alone")
    } else if trimmed.len() < id.len() {
        Some("the id has a newline or a blank at an end: its producer has to take it off")
    } else if is_in_quotes('"') || is_in_quotes('\'') {
        Some("the id stands in quotes: its producer has to take them off")
    } else if trimmed.starts_with("vcon:") {
        Some("this looks like the key of a document: the id is what follows `vcon:`")
    } else if id.chars().any(char::is_control) {
        Some("the id has control characters in it")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_producers_do_to_ids_is_named() {
        let id = "019b8d62-7a80-8000-8caa-f24ab1a0c334";
        assert_eq!(hint(id), None);
        for (odd, says) in [
            (format!("{id}\n"), "newline"),
            (format!(" {id}"), "blank"),
            (format!("\"{id}\""), "quotes"),
            (format!("vcon:{id}"), "key"),
            (format!("[\"{id}\"]"), "JSON"),
            (format!("{{\"uuid\":\"{id}\"}}"), "JSON"),
            (format!("{id}\x1b[2J"), "control"),
            (String::new(), "empty"),
        ] {
            assert!(hint(&odd).is_some_and(|hint| hint.contains(says)), "{odd:?}");
        }
    }
}
