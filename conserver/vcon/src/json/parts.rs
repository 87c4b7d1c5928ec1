//! The parts of an object or array, as slices of its text.
//!
//! Works on text that has passed the scanner, so a fault cannot occur; should it, the iteration ends.
//! Nothing is decoded and nothing is copied.

use super::cursor::{Cursor, Fault};
use super::gaps::Gaps;
use super::string::is_key;

/// One member of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'a> {
    /// The key as written, with its quotes.
    pub(crate) key: &'a str,
    /// The value as written.
    pub(crate) value: &'a str,
    /// Where the key begins in the object's text.
    pub(crate) key_at: usize,
    /// Where the value begins in the object's text.
    pub(crate) value_at: usize,
}

/// An object's text and its members in order.
#[derive(Clone, Debug)]
pub(crate) struct Object<'a> {
    pub(crate) raw: &'a str,
    pub(crate) members: Vec<Member<'a>>,
}

impl<'a> Object<'a> {
    /// Finds the members of `raw`; `None` if it is no object.
    pub(crate) fn parse(raw: &'a str) -> Option<Self> {
        let mut cursor = Cursor::new(raw, usize::MAX);
        cursor.space();
        Self::take(&mut cursor).ok()
    }

    /// Passes the object at the cursor and keeps its members.
    pub(crate) fn take(cursor: &mut Cursor<'a>) -> Result<Self, Fault> {
        let from = cursor.at();
        let mut members = Vec::with_capacity(8);
        cursor.object(|cursor, key| {
            let (key_at, value_at) = (cursor.key_at() - from, cursor.at());
            cursor.value()?;
            members.push(Member { key, value: cursor.slice(value_at), key_at, value_at: value_at - from });
            Ok(())
        })?;
        Ok(Self { raw: cursor.slice(from), members })
    }

    /// The raw value of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.members.iter().find(|member| is_key(member.key, name)).map(|member| member.value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The white space this object is written with.
    pub(crate) fn gaps(&self) -> Gaps<'a> {
        Gaps::of_object(self.raw, &self.members)
    }
}

/// One element of an array.
#[derive(Clone, Debug)]
pub(crate) enum Element<'a> {
    Object(Object<'a>),
    Other(&'a str),
}

impl<'a> Element<'a> {
    pub(crate) fn raw(&self) -> &'a str {
        match self {
            Self::Object(object) => object.raw,
            Self::Other(raw) => raw,
        }
    }
}

/// The elements of an array with their offsets, in one pass; none if the text is no array.
pub(crate) struct Elements<'a> {
    cursor: Cursor<'a>,
    state: State,
}

#[derive(PartialEq)]
enum State {
    Before,
    Inside,
    Done,
}

impl<'a> Elements<'a> {
    pub(crate) fn new(raw: &'a str) -> Self {
        let mut cursor = Cursor::new(raw, usize::MAX);
        cursor.space();
        let state = if cursor.take(b'[') { State::Before } else { State::Done };
        Self { cursor, state }
    }

    fn element(&mut self) -> Result<(usize, Element<'a>), Fault> {
        let at = self.cursor.at();
        if self.cursor.peek() == Some(b'{') {
            return Ok((at, Element::Object(Object::take(&mut self.cursor)?)));
        }
        self.cursor.value()?;
        Ok((at, Element::Other(self.cursor.slice(at))))
    }
}

impl<'a> Elements<'a> {
    /// Whether another element begins at the cursor now.
    fn goes_on(&mut self) -> bool {
        if self.state == State::Done {
            return false;
        }
        self.cursor.space();
        if self.state == State::Inside && self.cursor.take(b',') {
            self.cursor.space();
        } else if self.state == State::Inside || self.cursor.peek() == Some(b']') {
            self.state = State::Done;
            return false;
        }
        self.state = State::Inside;
        true
    }
}

impl<'a> Iterator for Elements<'a> {
    /// The offset in the array's text, and the element.
    type Item = (usize, Element<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let element = self.goes_on().then(|| self.element().ok()).flatten();
        if element.is_none() {
            self.state = State::Done;
        }
        element
    }
}

/// The elements of an array as they are written; none if the text is no array.
pub(crate) struct Values<'a>(Elements<'a>);

impl<'a> Values<'a> {
    pub(crate) fn new(raw: &'a str) -> Self {
        Self(Elements::new(raw))
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.0.goes_on() {
            return None;
        }
        let cursor = &mut self.0.cursor;
        let at = cursor.at();
        cursor.value().ok()?;
        Some(cursor.slice(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_order_with_their_places() {
        let raw = r#"{ "a" : 1,"b":[ {"c":2} ] }"#;
        let object = Object::parse(raw).unwrap();
        let seen: Vec<_> = object.members.iter().map(|m| (m.key, m.value)).collect();
        assert_eq!(seen, [("\"a\"", "1"), ("\"b\"", r#"[ {"c":2} ]"#)]);
        for member in &object.members {
            assert!(raw[member.key_at..].starts_with(member.key));
            assert!(raw[member.value_at..].starts_with(member.value));
        }
    }

    #[test]
    fn elements_come_with_their_offsets() {
        let raw = r#" [ {"a":1} , "b",3 ]"#;
        let seen: Vec<_> = Elements::new(raw).map(|(at, element)| (at, element.raw())).collect();
        assert_eq!(seen, [(3, r#"{"a":1}"#), (13, "\"b\""), (17, "3")]);
        assert!(seen.iter().all(|(at, text)| raw[*at..].starts_with(text)));
        assert!(Values::new(raw).eq(seen.iter().map(|(_, text)| *text)));
    }

    #[test]
    fn what_is_no_array_has_no_elements() {
        for raw in ["null", "{}", "\"[1]\"", "[]", "[ ]"] {
            assert_eq!((Elements::new(raw).count(), Values::new(raw).count()), (0, 0), "{raw}");
        }
    }
}
