//! The tree: values with their places.

use indexmap::IndexMap;
use serde_json::{Map, Number, Value};

use super::path::{Path, Step};
use super::scalar;

/// A place in the text: line and column from 1; line 0 where a value has no place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where it stands.
    pub(crate) mark: Mark,
    /// What it is.
    pub(crate) content: Content,
    /// Whether it was written without quotes; what a reference puts there is then read like any plain scalar.
    pub(crate) plain: bool,
    /// Whether it came from a reference: never shown.
    pub(crate) hidden: bool,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Entries),
}

/// The entries of a map by key, in the order of the file.
pub(crate) type Entries = IndexMap<String, Entry>;

/// One entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The key as text, as it was written.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) mark: Mark,
    /// The value.
    pub(crate) value: Node,
}

impl Node {
    /// A value at a place.
    pub(crate) fn new(mark: Mark, content: Content) -> Self {
        Self { mark, content, plain: false, hidden: false }
    }

    /// The entries of a map; none for anything else.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let entries = match &self.content {
            Content::Map(entries) => Some(entries.values()),
            _ => None,
        };
        entries.into_iter().flatten()
    }

    /// The entry of a key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.get(key),
            _ => None,
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Takes an entry out of a map.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Entry> {
        match &mut self.content {
            Content::Map(entries) => entries.shift_remove(key),
            _ => None,
        }
    }

    /// Whether it is the text of a reference, which may stand where a number or a switch is wanted.
    pub(crate) fn may_be_scalar(&self) -> bool {
        self.hidden && matches!(self.content, Content::Text(_))
    }

    /// Reads the text at this path as the plain scalar that it could be.
    pub(crate) fn plain_at(&mut self, path: &Path) {
        let found = path.steps().iter().try_fold(self, |node, step| match (&mut node.content, step) {
            (Content::Map(entries), Step::Key(key)) => entries.get_mut(key).map(|entry| &mut entry.value),
            (Content::List(items), Step::Index(index)) => items.get_mut(*index),
            _ => None,
        });
        if let Some(node) = found
            && let Content::Text(text) = &node.content
        {
            node.content = scalar::resolve(text);
        }
    }

    /// Whether there is nothing.
    pub(crate) fn is_null(&self) -> bool {
        self.content == Content::Null
    }

    /// The value at a path.
    pub(crate) fn at(&self, path: &Path) -> Option<&Node> {
        path.steps().iter().try_fold(self, Node::step)
    }

    /// The place of a path, or of the deepest part of it that exists.
    pub(crate) fn mark_of(&self, path: &Path) -> Mark {
        let mut node = self;
        for step in path.steps() {
            match node.step(step) {
                Some(next) => node = next,
                None => break,
            }
        }
        node.mark
    }

    /// How many values it holds, itself included.
    pub(crate) fn count(&self) -> usize {
        match &self.content {
            Content::List(items) => 1 + items.iter().map(Node::count).sum::<usize>(),
            Content::Map(entries) => 1 + entries.values().map(|entry| entry.value.count()).sum::<usize>(),
            _ => 1,
        }
    }

    /// The value as JSON, secrets included.
    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Node::to_json).collect(),
            Content::Map(entries) => {
                let pairs = entries.values().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    fn step(&self, step: &Step) -> Option<&Node> {
        match (step, &self.content) {
            (Step::Key(key), Content::Map(_)) => self.get(key),
            (Step::Index(index), Content::List(items)) => items.get(*index),
            _ => None,
        }
    }
}

/// A tree without places, for options that come back from a plan.
impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(value) => Content::Bool(*value),
            Value::Number(number) => Content::Number(number.clone()),
            Value::String(text) => Content::Text(text.clone()),
            Value::Array(items) => Content::List(items.iter().map(Node::from).collect()),
            Value::Object(map) => {
                let entry = |(key, value): (&String, &Value)| {
                    let (mark, value) = (Mark::default(), Node::from(value));
                    (key.clone(), Entry { key: key.clone(), mark, value })
                };
                Content::Map(map.iter().map(entry).collect())
            }
        };
        Node::new(Mark::default(), content)
    }
}
