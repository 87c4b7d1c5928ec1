//! The tree from the parser's events: anchors, merge keys, duplicate keys, limits.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag, options};

use super::node::{Content, Entries, Entry, Mark, Node};
use super::path::Path;
use super::scalar;

/// A text larger than this is no configuration.
const MAX_BYTES: usize = 8 << 20;
/// Values in the tree, aliases counted each time they are used: what stops an alias bomb.
const MAX_NODES: usize = 100_000;
/// Lists and maps within each other.
const MAX_DEPTH: usize = 64;

/// What came of a text.
#[derive(Debug)]
pub(crate) struct Composed {
    /// The tree; null for an empty text.
    pub(crate) root: Node,
    /// Keys that stand twice in their map, at their second place. The tree has the later value.
    pub(crate) duplicates: Vec<(Path, Mark)>,
}

/// Why a text is no tree. It ends the reading: what follows has no certain meaning.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) mark: Mark,
    pub(crate) message: String,
}

/// Reads the one document of a text.
pub(crate) fn compose(text: &str) -> Result<Composed, Unreadable> {
    if text.len() > MAX_BYTES {
        return Err(Unreadable::new(Mark::default(), "the file is larger than 8 MiB"));
    }
    let options = options! { emit_comments: false };
    let mut composer = Composer {
        events: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        duplicates: Vec::new(),
        nodes: 0,
    };
    let mut root = None;
    loop {
        let (event, mark) = composer.next()?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentEnd => {}
            Event::DocumentStart(..) if root.is_some() => {
                return Err(Unreadable::new(mark, "a second document begins here; one file holds one"));
            }
            Event::DocumentStart(..) => {}
            event => root = Some(composer.node(event, mark, &Path::root(), 0)?),
        }
    }
    let root = root.unwrap_or_else(|| Node::new(Mark { line: 1, column: 1 }, Content::Null));
    Ok(Composed { root, duplicates: composer.duplicates })
}

impl Unreadable {
    fn new(mark: Mark, message: impl Into<String>) -> Self {
        Self { mark, message: message.into() }
    }
}

struct Composer<'a> {
    events: Parser<'a, StrInput<'a>>,
    /// Finished nodes by anchor.
    anchors: HashMap<usize, Node>,
    duplicates: Vec<(Path, Mark)>,
    nodes: usize,
}

impl<'a> Composer<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Mark), Unreadable> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, start(&span))),
            Some(Err(error)) => {
                let mark = Mark { line: error.marker().line(), column: error.marker().col() + 1 };
                Err(Unreadable::new(mark, error.info()))
            }
            None => Ok((Event::StreamEnd, Mark::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, mark: Mark, path: &Path, depth: usize) -> Result<Node, Unreadable> {
        self.count(1, mark)?;
        if depth > MAX_DEPTH {
            return Err(Unreadable::new(mark, format!("lists and maps are nested deeper than {MAX_DEPTH}")));
        }
        let (anchor, node) = match event {
            Event::Alias(anchor) => return self.alias(anchor, mark),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let content = scalar_content(&text, plain, tag.as_deref())
                    .map_err(|message| Unreadable::new(mark, message))?;
                (anchor, Node { plain, ..Node::new(mark, content) })
            }
            Event::SequenceStart(_, anchor, tag) => {
                collection_tag(tag, "seq", mark)?;
                (anchor, Node::new(mark, Content::List(self.list(path, depth)?)))
            }
            Event::MappingStart(_, anchor, tag) => {
                collection_tag(tag, "map", mark)?;
                (anchor, Node::new(mark, Content::Map(self.map(path, depth)?)))
            }
            _ => return Err(Unreadable::new(mark, "expected a value")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<Node, Unreadable> {
        // A node gets its anchor once it is finished, so an alias within it does not find it.
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(Unreadable::new(mark, "this alias stands inside the value that it names"));
        };
        self.count(node.count(), mark)?;
        Ok(node)
    }

    fn list(&mut self, path: &Path, depth: usize) -> Result<Vec<Node>, Unreadable> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, mark) => items.push(self.node(event, mark, &path.index(items.len()), depth + 1)?),
            }
        }
    }

    fn map(&mut self, path: &Path, depth: usize) -> Result<Entries, Unreadable> {
        let mut entries = Entries::new();
        let mut merged = Vec::new();
        loop {
            let (event, mark) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.key(event, mark)?;
            let path = path.key(&key);
            let (event, value_mark) = self.next()?;
            let value = self.node(event, value_mark, &path, depth + 1)?;
            if merge {
                merged.extend(sources(value)?);
            } else if entries.insert(key.clone(), Entry { key, mark, value }).is_some() {
                self.duplicates.push((path, mark));
            }
        }
        // What is written wins over what is merged, and an earlier source over a later one.
        for entry in merged {
            entries.entry(entry.key.clone()).or_insert(entry);
        }
        Ok(entries)
    }

    fn key(&mut self, event: Event<'a>, mark: Mark) -> Result<String, Unreadable> {
        self.count(1, mark)?;
        let wrong = || Unreadable::new(mark, "a key has to be a plain text, not a list or a map");
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if anchor > 0 {
                    let node = Node::new(mark, Content::Text(text.clone().into_owned()));
                    self.anchors.insert(anchor, node);
                }
                scalar_content(&text, style == ScalarStyle::Plain, tag.as_deref())
                    .map_err(|message| Unreadable::new(mark, message))?;
                Ok(text.into_owned())
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).map(|node| &node.content) {
                Some(Content::Text(text)) => Ok(text.clone()),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }

    fn count(&mut self, more: usize, mark: Mark) -> Result<(), Unreadable> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, aliases counted each time they are used");
            return Err(Unreadable::new(mark, message));
        }
        Ok(())
    }
}

fn start(span: &Span) -> Mark {
    Mark { line: span.start.line(), column: span.start.col() + 1 }
}

/// The entries that a merge key brings.
fn sources(value: Node) -> Result<Vec<Entry>, Unreadable> {
    let wrong = |mark| Unreadable::new(mark, "`<<` merges a map or a list of maps");
    match value.content {
        Content::Map(entries) => Ok(entries.into_values().collect()),
        Content::List(items) => {
            let mut all = Vec::new();
            for item in items {
                match item.content {
                    Content::Map(entries) => all.extend(entries.into_values()),
                    _ => return Err(wrong(item.mark)),
                }
            }
            Ok(all)
        }
        _ => Err(wrong(value.mark)),
    }
}

fn scalar_content(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Content, String> {
    let as_text = || Content::Text(text.to_owned());
    let Some(tag) = tag else {
        return Ok(if plain { scalar::resolve(text) } else { as_text() });
    };
    let wrong = || format!("`{text}` is not what its tag `{tag}` says");
    match tag.core_suffix() {
        Some("str") => Ok(as_text()),
        Some("int") => scalar::integer(text).map(Content::Number).ok_or_else(wrong),
        Some("float") => scalar::float(text).map(Content::Number).ok_or_else(wrong),
        Some("bool" | "null") => match scalar::resolve(text) {
            content @ (Content::Bool(_) | Content::Null) => Ok(content),
            _ => Err(wrong()),
        },
        _ if tag.original() == "!" => Ok(as_text()),
        _ => Err(format!("the tag `{tag}` has no meaning here")),
    }
}

fn collection_tag(tag: Option<Cow<'_, Tag>>, expected: &str, mark: Mark) -> Result<(), Unreadable> {
    match tag {
        Some(tag) if tag.core_suffix() != Some(expected) => {
            Err(Unreadable::new(mark, format!("the tag `{tag}` has no meaning here")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tree(text: &str) -> serde_json::Value {
        compose(text).unwrap().root.to_json()
    }

    #[test]
    fn merge_keys_yield_to_what_is_written_and_to_earlier_sources() {
        let text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 3\n";
        assert_eq!(tree(text)["c"], json!({"x": 3, "y": 1, "z": 2}));
        assert_eq!(compose("a: {<<: 5}").unwrap_err().message, "`<<` merges a map or a list of maps");
    }

    #[test]
    fn the_later_of_two_equal_keys_wins_and_is_told() {
        let composed = compose("a:\n  b: 1\n  c: 2\n  b: 3\n").unwrap();
        assert_eq!(composed.root.to_json(), json!({"a": {"b": 3, "c": 2}}));
        assert_eq!(composed.duplicates, [(Path::root().key("a").key("b"), Mark { line: 4, column: 3 })]);
    }

    #[test]
    fn quotes_and_tags_make_text_of_anything() {
        assert_eq!(tree("[yes, 'yes', \"0644\", !!str 5, !!int '7']"), json!([true, "yes", "0644", "5", 7]));
        assert!(compose("!!python/object:os.system x").is_err());
        assert!(compose("a: !include b").is_err());
    }

    #[test]
    fn an_empty_text_is_null() {
        for text in ["", "# nothing\n", "---\n", "~"] {
            assert_eq!(tree(text), json!(null), "{text:?}");
        }
    }

    #[test]
    fn a_bomb_of_aliases_is_defused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let alias = format!("*a{}", n - 1);
            text.push_str(&format!("a{n}: &a{n} [{}]\n", vec![alias; 10].join(", ")));
        }
        assert!(compose(&text).unwrap_err().message.starts_with("more than 100000 values"));
        assert!(compose("a: &a [*a]").is_err());
    }

    #[test]
    fn depth_is_limited() {
        let text = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(compose(&text).unwrap_err().message.contains("nested deeper"));
    }

    #[test]
    fn a_second_document_is_refused() {
        assert!(compose("a: 1\n---\nb: 2\n").unwrap_err().message.contains("second document"));
    }
}
