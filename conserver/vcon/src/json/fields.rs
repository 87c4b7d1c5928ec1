//! A member list that can be changed and written again.
//!
//! The values are the caller's own type, so that the same renames work on a whole document, whose values
//! are rendered, and on an entry, whose values are copied. Order follows the dictionaries of Python: a
//! replaced value keeps its place, a new or renamed member goes to the end.

use std::borrow::Cow;

use super::gaps::Gaps;
use super::string::{is_key, quote};

/// Members in order, keys in their raw form.
pub(crate) struct Fields<'a, V> {
    members: Vec<(Cow<'a, str>, V)>,
}

impl<'a, V> Fields<'a, V> {
    pub(crate) fn new(members: impl IntoIterator<Item = (&'a str, V)>) -> Self {
        Self { members: members.into_iter().map(|(key, value)| (Cow::Borrowed(key), value)).collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        self.position(name).map(|at| &self.members[at].1)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Replaces a value where it stands, or adds the member at the end.
    pub(crate) fn set(&mut self, name: &str, value: V) {
        match self.position(name) {
            Some(at) => self.members[at].1 = value,
            None => self.members.push((Cow::Owned(quote(name)), value)),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<V> {
        self.position(name).map(|at| self.members.remove(at).1)
    }

    /// Moves the value of `old` to `new` at the end; drops it when `new` is there already.
    pub(crate) fn rename(&mut self, old: &str, new: &str) {
        if let Some(value) = self.remove(old)
            && !self.has(new)
        {
            self.set(new, value);
        }
    }

    /// Writes the object, each value through `value`.
    pub(crate) fn write(&self, gaps: Gaps<'_>, out: &mut Vec<u8>, mut value: impl FnMut(&V, &mut Vec<u8>)) {
        out.push(b'{');
        let mut gap = gaps.open;
        for (key, content) in &self.members {
            out.extend_from_slice(gap.as_bytes());
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(gaps.colon.as_bytes());
            value(content, out);
            out.push(b',');
            gap = gaps.between;
        }
        if !self.members.is_empty() {
            out.pop();
        }
        out.extend_from_slice(gaps.close.as_bytes());
        out.push(b'}');
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|(key, _)| is_key(key, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fields: &Fields<'_, &str>) -> String {
        let mut out = Vec::new();
        fields.write(Gaps::COMPACT, &mut out, |value, out| out.extend_from_slice(value.as_bytes()));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_renamed_member_goes_to_the_end() {
        let mut fields = Fields::new([("\"old\"", "1"), ("\"x\"", "2")]);
        fields.rename("old", "new");
        assert_eq!(written(&fields), r#"{"x":2,"new":1}"#);
    }

    #[test]
    fn a_rename_onto_a_present_member_drops_the_old_one() {
        let mut fields = Fields::new([("\"old\"", "1"), ("\"new\"", "2")]);
        fields.rename("old", "new");
        assert_eq!(written(&fields), r#"{"new":2}"#);
    }

    #[test]
    fn a_replaced_value_keeps_its_place() {
        let mut fields = Fields::new([("\"a\"", "1"), ("\"b\"", "2")]);
        fields.set("a", "3");
        fields.set("c", "4");
        assert_eq!(written(&fields), r#"{"a":3,"b":2,"c":4}"#);
    }

    #[test]
    fn an_emptied_object_is_written() {
        let mut fields = Fields::new([("\"a\"", "1")]);
        fields.remove("a");
        assert_eq!(written(&fields), "{}");
    }
}
