//! The white space a container is written with, so that a rewritten one looks like its neighbours.
//!
//! Taken from the first members; a container too small to show its habit gets the one its visible part
//! suggests. White space only: it never changes what the JSON means.

use super::parts::Member;

/// What stands between the tokens of one object or array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gaps<'a> {
    /// After the opening bracket.
    pub(crate) open: &'a str,
    /// After a comma.
    pub(crate) between: &'a str,
    /// From the end of a key to its value: the colon and its spaces.
    pub(crate) colon: &'a str,
    /// Before the closing bracket.
    pub(crate) close: &'a str,
}

impl<'a> Gaps<'a> {
    /// No white space at all.
    pub(crate) const COMPACT: Self = Self { open: "", between: "", colon: ":", close: "" };
    /// On one line with spaces, as Python writes.
    pub(crate) const SPACED: Self = Self { open: "", between: " ", colon: ": ", close: "" };

    /// The gaps of the object `raw` with these members.
    pub(crate) fn of_object(raw: &'a str, members: &[Member<'a>]) -> Self {
        let Some(first) = members.first() else { return Self::COMPACT };
        let open = &raw[1..first.key_at];
        let colon = &raw[first.key_at + first.key.len()..first.value_at];
        let between = match members.get(1) {
            Some(second) => {
                leading_space(after_comma(&raw[first.value_at + first.value.len()..second.key_at]))
            }
            None if open.contains('\n') => open,
            None if colon.ends_with(' ') => " ",
            None => "",
        };
        Self { open, between, colon, close: trailing_space(&raw[..raw.len() - 1]) }
    }

    /// The gaps of the array `raw`; `colon` and what cannot be seen come from `around`.
    pub(crate) fn of_array(
        raw: &'a str,
        first: Option<(usize, &str)>,
        second: Option<usize>,
        around: Self,
    ) -> Self {
        let Some((at, value)) = first else { return around.one_line() };
        let open = &raw[1..at];
        let between = match second {
            Some(second) => after_comma(&raw[at + value.len()..second]),
            None if open.contains('\n') => open,
            None => around.one_line().between,
        };
        Self { open, between, colon: around.colon, close: trailing_space(&raw[..raw.len() - 1]) }
    }

    /// The same habit without line breaks.
    pub(crate) fn one_line(self) -> Self {
        if self.colon.ends_with(' ') { Self::SPACED } else { Self::COMPACT }
    }
}

fn after_comma(gap: &str) -> &str {
    gap.split_once(',').map_or("", |(_, after)| after)
}

fn leading_space(text: &str) -> &str {
    &text[..text.len() - text.trim_ascii_start().len()]
}

fn trailing_space(text: &str) -> &str {
    &text[text.trim_ascii_end().len()..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Object;

    fn gaps(raw: &str) -> Gaps<'_> {
        Object::parse(raw).unwrap().gaps()
    }

    #[test]
    fn the_habit_is_read_from_the_text() {
        assert_eq!(gaps(r#"{"a": 1, "b": 2}"#), Gaps::SPACED);
        assert_eq!(gaps(r#"{"a":1,"b":2}"#), Gaps::COMPACT);
        assert_eq!(
            gaps("{\n  \"a\": 1,\n  \"b\": 2\n}"),
            Gaps { open: "\n  ", between: "\n  ", colon: ": ", close: "\n" }
        );
    }

    #[test]
    fn a_single_member_suggests_the_rest() {
        assert_eq!(gaps(r#"{"a": 1}"#), Gaps::SPACED);
        assert_eq!(gaps("{}"), Gaps::COMPACT);
        assert_eq!(gaps("{\n\t\"a\":1}").between, "\n\t");
    }
}
