//! A part of the tree as a Rust type, with everything that is wrong on the way.
//!
//! serde stops at the first error. So what is wrong is noted, taken out, and the rest is read again, until the rest is
//! right. What a reference brought is text; where text is not what is wanted, it is read again as the plain scalar that
//! it could be. Keys that a struct does not know are noted and passed over; serde itself says which keys a struct knows,
//! aliases included, so there is no second list of them.

use std::cell::RefCell;
use std::collections::HashSet;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::decode_error::DecodeError;
use super::node::{Content, Entry, Mark, Node};
use super::path::Path;
use super::scalar;
use crate::config::redact::is_secret_name;

/// More than this many wrong values in one part are not looked for.
const MAX_FLAWS: usize = 100;

/// What came of a part.
#[derive(Debug)]
pub(crate) struct Decoded<T> {
    /// The value without what is wrong; `None` if nothing could be made of the rest.
    pub(crate) value: Option<T>,
    /// What is wrong.
    pub(crate) flaws: Vec<Flaw>,
    /// Keys that nobody knows.
    pub(crate) unknown: Vec<UnknownKey>,
    /// Values of references that are meant as plain scalars: see [`Node::plain_at`].
    pub(crate) scalars: Vec<Path>,
}

/// One value that is wrong.
#[derive(Debug, Clone)]
pub(crate) struct Flaw {
    pub(crate) path: Path,
    pub(crate) mark: Mark,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// One key that nobody knows.
#[derive(Debug, Clone)]
pub(crate) struct UnknownKey {
    pub(crate) path: Path,
    pub(crate) mark: Mark,
    pub(crate) key: String,
    /// The keys that are known there.
    pub(crate) known: &'static [&'static str],
}

/// Reads `node`, which stands at `path`, as a `T`.
pub(crate) fn decode<T: DeserializeOwned>(node: &Node, path: &Path) -> Decoded<T> {
    let mut decoded = Decoded { value: None, flaws: Vec::new(), unknown: Vec::new(), scalars: Vec::new() };
    let mut skipped = HashSet::new();
    let mut told = HashSet::new();
    let mut scalars = HashSet::new();
    loop {
        let notes = Notes { skipped: &skipped, scalars: &scalars, unknown: RefCell::default() };
        let result = T::deserialize(Decoder { node, path: path.clone(), notes: &notes });
        let unknown = notes.unknown.into_inner().into_iter();
        decoded.unknown.extend(unknown.filter(|unknown| told.insert(unknown.path.clone())));
        let error = match result {
            Ok(value) => {
                decoded.value = Some(value);
                return decoded;
            }
            Err(error) => error,
        };
        let (at, mark) = error.at.unwrap_or_else(|| (path.clone(), node.mark));
        let found = at.below(path).and_then(|steps| node.at(&steps));
        if found.is_some_and(Node::may_be_scalar) && scalars.insert(at.clone()) {
            decoded.scalars.push(at);
            continue;
        }
        // A field that is missing because it was taken out was told already.
        let consequence = error.missing && skipped.iter().any(|path: &Path| path.is_child_of(&at));
        if !consequence {
            let (message, hint) = (error.message, error.hint);
            decoded.flaws.push(Flaw { path: at.clone(), mark, message, hint });
        }
        if at == *path || decoded.flaws.len() >= MAX_FLAWS || !skipped.insert(at) {
            return decoded;
        }
    }
}

struct Notes<'a> {
    /// Values that are passed over.
    skipped: &'a HashSet<Path>,
    /// Texts of references that are read as plain scalars.
    scalars: &'a HashSet<Path>,
    unknown: RefCell<Vec<UnknownKey>>,
}

struct Decoder<'a> {
    node: &'a Node,
    path: Path,
    notes: &'a Notes<'a>,
}

impl<'a> Decoder<'a> {
    fn child(&self, node: &'a Node, path: Path) -> Self {
        Self { node, path, notes: self.notes }
    }

    fn entries(&self) -> Vec<(&'a Entry, Path)> {
        let entries = self.node.entries();
        let placed = entries.map(|entry| (entry, self.path.key(&entry.key)));
        placed.filter(|(_, path)| !self.notes.skipped.contains(path)).collect()
    }

    fn items(&self, items: &'a [Node]) -> Vec<(&'a Node, Path)> {
        let placed = items.iter().enumerate().map(|(index, item)| (item, self.path.index(index)));
        placed.filter(|(_, path)| !self.notes.skipped.contains(path)).collect()
    }

    fn map<'de, V: Visitor<'de>>(
        self,
        entries: Vec<(&'a Entry, Path)>,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_map(Fields { entries: entries.into_iter(), value: None, parent: &self })
    }

    fn seed<'de, S: DeserializeSeed<'de>>(self, seed: S, secret: bool) -> Result<S::Value, DecodeError> {
        let (path, mark, hidden) = (self.path.clone(), self.node.mark, self.node.hidden || secret);
        seed.deserialize(self).map_err(|error| if hidden { error.hide() } else { error }.at(&path, mark))
    }
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let scalar = match &self.node.content {
            Content::Text(text) if self.notes.scalars.contains(&self.path) => Some(scalar::resolve(text)),
            _ => None,
        };
        match scalar.as_ref().unwrap_or(&self.node.content) {
            Content::Null => visitor.visit_unit(),
            Content::Bool(value) => visitor.visit_bool(*value),
            Content::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (_, Some(value)) => visitor.visit_i64(value),
                _ => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Content::Text(text) => visitor.visit_str(text),
            Content::List(items) => {
                visitor.visit_seq(Items { items: self.items(items).into_iter(), parent: &self })
            }
            Content::Map(_) => {
                let entries = self.entries();
                self.map(entries, visitor)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    // A section without content is an empty one.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.node.is_null() {
            return visitor.visit_seq(Items { items: Vec::new().into_iter(), parent: &self });
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.node.is_null() { self.map(Vec::new(), visitor) } else { self.deserialize_any(visitor) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.node.content {
            Content::Map(_) | Content::Null => {}
            // serde would take a list for the fields in their order.
            Content::List(_) => return Err(serde::de::Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => return self.deserialize_any(visitor),
        }
        let (known, unknown): (Vec<_>, Vec<_>) =
            self.entries().into_iter().partition(|(entry, _)| fields.contains(&entry.key.as_str()));
        let unknown = unknown.into_iter().map(|(entry, path)| UnknownKey {
            path,
            mark: entry.mark,
            key: entry.key.clone(),
            known: fields,
        });
        self.notes.unknown.borrow_mut().extend(unknown);
        self.map(known, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.node.content {
            Content::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Content::Map(entries) if entries.len() == 1 => {
                let entry = &entries[0];
                let value = self.child(&entry.value, self.path.key(&entry.key));
                visitor.visit_enum(Variant { name: &entry.key, value })
            }
            _ => {
                let expected = crate::config::nearest::list(variants.iter().copied());
                Err(serde::de::Error::custom(format_args!("expected one of {expected}")))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct identifier ignored_any
    }
}

struct Items<'a, 'p> {
    items: std::vec::IntoIter<(&'a Node, Path)>,
    parent: &'p Decoder<'a>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = DecodeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        let Some((node, path)) = self.items.next() else { return Ok(None) };
        self.parent.child(node, path).seed(seed, false).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Fields<'a, 'p> {
    entries: std::vec::IntoIter<(&'a Entry, Path)>,
    value: Option<(&'a Entry, Path)>,
    parent: &'p Decoder<'a>,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = DecodeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, DecodeError> {
        self.value = self.entries.next();
        let Some((entry, path)) = &self.value else { return Ok(None) };
        let key = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error: DecodeError| error.at(path, entry.mark))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, DecodeError> {
        let (entry, path) = self.value.take().expect("serde asks for a value after its key");
        self.parent.child(&entry.value, path).seed(seed, is_secret_name(&entry.key))
    }
}

struct Variant<'a> {
    name: &'a str,
    value: Decoder<'a>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a> {
    type Error = DecodeError;
    type Variant = Decoder<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Decoder<'a>), DecodeError> {
        let name = seed.deserialize(self.name.into_deserializer())?;
        Ok((name, self.value))
    }
}

impl<'de> VariantAccess<'de> for Decoder<'_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        serde::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, DecodeError> {
        self.seed(seed, false)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use serde::Deserialize;

    use super::*;
    use crate::config::yaml::compose::compose;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Server {
        #[serde(alias = "host_name")]
        host: String,
        #[serde(default)]
        port: u16,
        #[serde(default)]
        password: Option<u8>,
        #[serde(default)]
        mode: Option<Mode>,
        #[serde(default)]
        lists: Vec<String>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Fast,
        Safe,
    }

    fn read(text: &str) -> Decoded<IndexMap<String, Server>> {
        decode(&compose(text).unwrap().root, &Path::root())
    }

    fn flaws(decoded: &Decoded<IndexMap<String, Server>>) -> Vec<String> {
        let flaws = decoded.flaws.iter();
        flaws.map(|flaw| format!("{}: {}: {}", flaw.mark.line, flaw.path, flaw.message)).collect()
    }

    #[test]
    fn all_wrong_values_are_told_and_the_rest_is_read() {
        let decoded = read(
            "a:\n  host_name: x\n  port: many\n  mode: fats\n  lists: [a, 5, b, {c: d}]\nb:\n  port: 3\nc: [x]\nd: {host: y}\n",
        );
        assert_eq!(
            flaws(&decoded),
            [
                "3: a.port: expected a whole number that is not negative, found text",
                "4: a.mode: `fats` is none of `fast`, `safe`",
                "5: a.lists[1]: expected text, found a number",
                "5: a.lists[3]: expected text, found a map",
                "7: b: `host` is missing",
                "8: c: expected a map, found a list",
            ]
        );
        let value = decoded.value.unwrap();
        assert_eq!(value.keys().collect::<Vec<_>>(), ["a", "d"]);
        assert_eq!(value["a"].lists, ["a", "b"]);
    }

    #[test]
    fn a_required_field_that_is_wrong_is_told_once() {
        assert_eq!(flaws(&read("a: {host: [1]}")), ["1: a.host: expected text, found a list"]);
    }

    #[test]
    fn unknown_keys_are_told_with_the_known_ones() {
        let decoded = read("a: {host: x, prot: 5}");
        assert_eq!(decoded.unknown.len(), 1);
        assert_eq!(decoded.unknown[0].path.to_string(), "a.prot");
        assert!(decoded.unknown[0].known.contains(&"host_name"));
        assert!(decoded.value.is_some() && decoded.flaws.is_empty());
    }

    #[test]
    fn the_error_of_a_secret_does_not_say_what_was_found() {
        let decoded = read("a: {host: x, password: 1234567}");
        let expected = "1: a.password: expected a whole number that is not negative, found another number";
        assert_eq!(flaws(&decoded), [expected]);
        let node = compose("{token: hunter2}").unwrap().root;
        let decoded: Decoded<IndexMap<String, Mode>> = decode(&node, &Path::root());
        assert_eq!(decoded.flaws[0].message, "the value is not valid here; it is not shown");
    }

    #[test]
    fn the_text_of_a_reference_is_a_number_where_no_text_is_wanted() {
        let mut root =
            compose("a: {host: '${N}', port: '${N}', lists: [x, '${N}'], mode: '${N}'}").unwrap().root;
        let vars = std::collections::BTreeMap::from([("N".to_owned(), "007".to_owned())]);
        crate::config::yaml::reference::resolve(&mut root, &vars, std::path::Path::new(""));
        let decoded: Decoded<IndexMap<String, Server>> = decode(&root, &Path::root());
        // YAML 1.1 reads it as octal.
        assert_eq!(decoded.scalars.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a.port", "a.mode"]);
        assert_eq!(flaws(&decoded).len(), 1, "a number is no mode either");
        let server = &decoded.value.unwrap()["a"];
        assert_eq!((server.host.as_str(), server.port, server.lists[1].as_str()), ("007", 7, "007"));
    }

    #[test]
    fn sections_without_content_are_empty() {
        assert_eq!(read("~").value.unwrap().len(), 0);
        let decoded = read("a: {host: x, lists: }");
        assert_eq!(decoded.value.unwrap()["a"].lists, [""; 0]);
    }
}
