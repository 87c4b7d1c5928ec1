//! What the sections hold, seen one entry at a time.
//!
//! A view borrows the document and knows the members of one entry as raw slices; it decodes what it is
//! asked for. The typed views answer to the names of today and of every earlier draft, so that a reader
//! need not know how old a document is.

use std::borrow::Cow;
use std::ops::Deref;

use bytestring::ByteString;

use crate::body::Body;
use crate::json::{Element, Elements, Object, unescape};

/// One object of a section.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    index: usize,
    object: Object<'a>,
}

impl<'a> Entry<'a> {
    /// The entry that an element is, or its text.
    pub(crate) fn of(index: usize, element: Element<'a>) -> Result<Self, &'a str> {
        match element {
            Element::Object(object) => Ok(Self { index, object }),
            Element::Other(raw) => Err(raw),
        }
    }

    /// Returns the place in the section, counting entries that are no objects too. Other entries refer to
    /// this one by it.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the entry as it is written.
    pub fn raw(&self) -> &'a str {
        self.object.raw
    }

    /// Returns the members in order: the name, and the value as it is written.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> + '_ {
        self.object.members.iter().map(|member| (unescape(member.key), member.value))
    }

    /// Returns the raw JSON value of a member, null included.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.object.get(name)
    }

    /// Returns the text of a string member.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text(self.get(name)?)
    }

    /// Returns a number member.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.parse().ok()
    }

    /// Returns the indices a member refers to: a number, or an array of numbers, however deep.
    pub fn indices(&self, name: &str) -> Vec<usize> {
        indices(self.get(name).unwrap_or_default()).collect()
    }

    /// Returns the media type, under its name of today or the older `mimetype`.
    pub fn mediatype(&self) -> Option<Cow<'a, str>> {
        self.text("mediatype").or_else(|| self.text("mimetype"))
    }

    /// Returns the encoding of the body.
    pub fn encoding(&self) -> Option<Cow<'a, str>> {
        self.text("encoding")
    }

    /// Returns the body, unread; `None` when absent or null.
    pub fn body(&self) -> Option<Body<'a>> {
        let raw = self.get("body").filter(|raw| *raw != "null")?;
        Some(Body::new(raw, self.encoding()))
    }

    /// Returns the format of the body, under its name of today or the older `schema_version`.
    pub fn schema(&self) -> Option<Cow<'a, str>> {
        self.text("schema").or_else(|| self.text("schema_version"))
    }

    pub(crate) fn object(&self) -> &Object<'a> {
        &self.object
    }
}

/// The indices in a raw value: a number, or an array of numbers, however deep.
pub(crate) fn indices(raw: &str) -> impl Iterator<Item = usize> + '_ {
    raw.split(|c: char| "[], \t\r\n".contains(c)).filter_map(|number| number.parse().ok())
}

/// The text of a raw value that is a string.
pub(crate) fn text(raw: &str) -> Option<Cow<'_, str>> {
    raw.starts_with('"').then(|| unescape(raw))
}

macro_rules! views {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<'a>(Entry<'a>);

        impl<'a> Deref for $name<'a> {
            type Target = Entry<'a>;

            fn deref(&self) -> &Entry<'a> {
                &self.0
            }
        }

        impl<'a> From<Entry<'a>> for $name<'a> {
            fn from(entry: Entry<'a>) -> Self {
                Self(entry)
            }
        }
    )*};
}

views! {
    /// Somebody who takes part (draft-ietf-vcon-vcon-core-04 §4.2).
    Party
    /// A piece of the conversation (§4.3).
    Dialog
    /// Something derived from the conversation (§4.5).
    Analysis
    /// Something that came with it (§4.4).
    Attachment
}

impl<'a> Party<'a> {
    /// Returns the telephone number or TEL URL.
    pub fn tel(&self) -> Option<Cow<'a, str>> {
        self.text("tel")
    }

    /// Returns the mail address or MAILTO URL.
    pub fn mailto(&self) -> Option<Cow<'a, str>> {
        self.text("mailto")
    }

    /// Returns the name.
    pub fn name(&self) -> Option<Cow<'a, str>> {
        self.text("name")
    }
}

impl<'a> Dialog<'a> {
    /// Returns the type: `recording`, `text`, `transfer`, `incomplete`, …
    pub fn kind(&self) -> Option<Cow<'a, str>> {
        self.text("type")
    }

    /// Returns the length in seconds.
    pub fn duration(&self) -> Option<f64> {
        self.number("duration")
    }

    /// Returns where the content lies when it is not inline.
    pub fn url(&self) -> Option<Cow<'a, str>> {
        self.text("url")
    }
}

impl<'a> Analysis<'a> {
    /// Returns the type: `transcript`, `summary`, …
    pub fn kind(&self) -> Option<Cow<'a, str>> {
        self.text("type")
    }

    /// Returns who made it.
    pub fn vendor(&self) -> Option<Cow<'a, str>> {
        self.text("vendor")
    }

    /// Returns the dialogs it was made from.
    pub fn dialogs(&self) -> Vec<usize> {
        self.indices("dialog")
    }
}

impl<'a> Attachment<'a> {
    /// Returns what the attachment is for: `purpose`, or `type` where `purpose` is absent or empty.
    pub fn purpose(&self) -> Option<Cow<'a, str>> {
        self.text("purpose").filter(|purpose| !purpose.is_empty()).or_else(|| self.text("type"))
    }
}

/// The objects of a section, in order. Entries that are no objects are skipped, and keep their index.
pub struct Entries<'a, T> {
    source: Source<'a>,
    view: fn(Entry<'a>) -> T,
}

enum Source<'a> {
    Text(std::iter::Enumerate<Elements<'a>>),
    List(std::iter::Enumerate<std::slice::Iter<'a, ByteString>>),
}

impl<'a, T: From<Entry<'a>>> Entries<'a, T> {
    /// Of a section's value as it is written: an array, or anything else for none.
    pub(crate) fn of_text(raw: &'a str) -> Self {
        Self { source: Source::Text(Elements::new(raw).enumerate()), view: T::from }
    }

    /// Of a section that has been edited.
    pub(crate) fn of_list(entries: &'a [ByteString]) -> Self {
        Self { source: Source::List(entries.iter().enumerate()), view: T::from }
    }
}

impl<'a, T> Iterator for Entries<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            let (index, object) = match &mut self.source {
                Source::Text(elements) => match elements.next()? {
                    (index, (_, Element::Object(object))) => (index, Some(object)),
                    (index, _) => (index, None),
                },
                Source::List(entries) => {
                    let (index, raw) = entries.next()?;
                    (index, Object::parse(raw))
                }
            };
            if let Some(object) = object {
                return Some((self.view)(Entry { index, object }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_are_no_objects_are_skipped_and_counted() {
        let indices: Vec<_> =
            Entries::<Party>::of_text(r#"[1, {"a":1}, null, "x", {}]"#).map(|e| e.index()).collect();
        assert_eq!(indices, [1, 4]);
        let list = [ByteString::from_static("1"), ByteString::from_static("{}")];
        assert_eq!(Entries::<Party>::of_list(&list).map(|e| e.index()).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn old_names_are_read() {
        let old = r#"[{"type":"tags","mimetype":"a/b","schema_version":"s"}]"#;
        let attachment = Entries::<Attachment>::of_text(old).next().unwrap();
        assert_eq!(attachment.purpose().as_deref(), Some("tags"));
        assert_eq!(attachment.mediatype().as_deref(), Some("a/b"));
        assert_eq!(attachment.schema().as_deref(), Some("s"));
    }

    #[test]
    fn an_empty_purpose_gives_way_to_the_type() {
        let text = r#"[{"purpose":"","type":"tags"}]"#;
        assert_eq!(Entries::<Attachment>::of_text(text).next().unwrap().purpose().as_deref(), Some("tags"));
    }

    #[test]
    fn references_are_read_in_every_shape() {
        for (raw, expected) in
            [("1", vec![1]), ("[0, 2]", vec![0, 2]), ("[[0,1],null,[2]]", vec![0, 1, 2]), ("null", vec![])]
        {
            let text = format!(r#"[{{"dialog":{raw}}}]"#);
            assert_eq!(Entries::<Analysis>::of_text(&text).next().unwrap().dialogs(), expected);
        }
    }
}
