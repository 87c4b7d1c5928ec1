//! The nearest valid name, for a name that is not.

/// `did you mean …?` where a name is close, else what there is to choose from; `None` where there is nothing.
pub(crate) fn hint<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut known: Vec<&str> = known.into_iter().collect();
    if let Some(name) = find(wrong, known.iter().copied()) {
        return Some(format!("did you mean `{name}`?"));
    }
    known.dedup();
    (!known.is_empty()).then(|| format!("known: {}", list(known)))
}

/// The name that is closest, if one is close enough to be meant.
pub(crate) fn find<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(wrong);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&folded, &fold(name)), name))
        .filter(|(distance, name)| *distance <= name.chars().count().div_ceil(4).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Names in backticks, with commas.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Case and the kind of dash are slips, not other names.
fn fold(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["transcribe", "tag", "ingress_lists"];
        assert_eq!(find("transcirbe", known), Some("transcribe"));
        assert_eq!(find("Ingress-Lists", known), Some("ingress_lists"));
        assert_eq!(find("webhook", known), None);
        assert_eq!(hint("x", ["tag", "jq"]).unwrap(), "known: `tag`, `jq`");
        assert_eq!(hint("x", []), None);
    }
}
