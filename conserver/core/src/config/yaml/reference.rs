//! `${VAR}`, `${VAR:-default}` and `file:` references, resolved when a file is loaded.
//!
//! They work in values, not in keys, and a default may be a reference itself. `$${` is a plain `${`. What came from a reference
//! is marked hidden and never shown. It is the text that it is; where no text is wanted it may be a number or a switch
//! ([`super::decode`]). References as other tools write them stay as they are, and are told.

use std::path::Path as FilePath;

use super::node::{Content, Node};
use super::path::Path;
use crate::config::env::Vars;

/// A reference that leads nowhere; its text stays as it was.
#[derive(Debug)]
pub(crate) struct Dangling {
    pub(crate) path: Path,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// It only looks like one: perhaps it is meant as text.
    pub(crate) foreign: bool,
}

/// Resolves all references of a tree; relative files are looked for in `directory`. Answers what leads nowhere, and where a
/// value stands in for one that is not known.
pub(crate) fn resolve(node: &mut Node, vars: &dyn Vars, directory: &FilePath) -> (Vec<Dangling>, Vec<Path>) {
    let mut resolver = Resolver { vars, directory, dangling: Vec::new(), unknown: Vec::new() };
    resolver.visit(node, &Path::root());
    (resolver.dangling, resolver.unknown)
}

struct Resolver<'a> {
    vars: &'a dyn Vars,
    directory: &'a FilePath,
    dangling: Vec<Dangling>,
    unknown: Vec<Path>,
}

impl Resolver<'_> {
    fn visit(&mut self, node: &mut Node, path: &Path) {
        match &mut node.content {
            Content::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.visit(item, &path.index(index));
                }
            }
            Content::Map(entries) => {
                for entry in entries.values_mut() {
                    self.visit(&mut entry.value, &path.key(&entry.key));
                }
            }
            Content::Text(text) => {
                let outcome = match file_name(text) {
                    Some(name) => self.file(name).map(Some),
                    None => self.variables(text),
                };
                match outcome {
                    Ok(None) => {
                        if let Some((message, hint)) = foreign(text) {
                            let (path, hint) = (path.clone(), Some(hint));
                            self.dangling.push(Dangling { path, message, hint, foreign: true });
                        }
                    }
                    Ok(Some(resolved)) => {
                        // Nothing, where nothing is wanted or not.
                        let is_nothing = node.plain && resolved.is_empty();
                        node.content = if is_nothing { Content::Null } else { Content::Text(resolved) };
                        node.hidden = true;
                    }
                    Err(_) if self.vars.is_unknown() => {
                        // It may be a number where one is wanted, and is text elsewhere.
                        node.content = Content::Text("1".to_owned());
                        node.hidden = true;
                        self.unknown.push(path.clone());
                    }
                    Err((message, hint)) => {
                        self.dangling.push(Dangling { path: path.clone(), message, hint, foreign: false })
                    }
                }
            }
            _ => {}
        }
    }

    fn file(&self, name: &str) -> Result<String, (String, Option<String>)> {
        let path = self.directory.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text
                .strip_suffix('\n')
                .map(|t| t.strip_suffix('\r').unwrap_or(t))
                .unwrap_or(&text)
                .to_owned()),
            Err(error) => Err((format!("cannot read the file `{}`: {}", path.display(), error.kind()), None)),
        }
    }

    /// The text with its variables; `None` if there is none in it.
    fn variables(&self, text: &str) -> Result<Option<String>, (String, Option<String>)> {
        if !text.contains("${") {
            return Ok(None);
        }
        let mut out = String::with_capacity(text.len());
        let mut found = false;
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let before = &rest[..at];
            let after = &rest[at + 2..];
            if let Some(escaped) = before.strip_suffix('$') {
                out.push_str(escaped);
                out.push_str("${");
                found = true;
                rest = after;
                continue;
            }
            out.push_str(before);
            match closed(after).and_then(|(inner, tail)| Some((variable(inner)?, tail))) {
                Some(((name, default), tail)) => {
                    let value = self.vars.get(name).filter(|value| !value.is_empty() || default.is_none());
                    let default = match (&value, default) {
                        (None, Some(default)) => Some(self.variables(default)?.unwrap_or(default.to_owned())),
                        _ => None,
                    };
                    match value.or(default) {
                        Some(value) => out.push_str(&value),
                        None => {
                            let hint = format!("set it, or write `${{{name}:-default}}`");
                            return Err((format!("the variable `{name}` is not set"), Some(hint)));
                        }
                    }
                    found = true;
                    rest = tail;
                }
                // Templates of other languages use the same sign.
                None => {
                    out.push_str("${");
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        Ok(found.then_some(out))
    }
}

/// The file that a whole value names: `file:/run/secrets/key`, but not a `file://` URL.
fn file_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix("file:")?;
    (!name.is_empty() && !name.starts_with("//") && !name.contains('\n')).then_some(name)
}

/// What stands before the brace that closes a reference, and what follows it.
fn closed(after: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    let mut rest = after.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '$' if rest.peek().is_some_and(|(_, next)| *next == '{') => depth += 1,
            '}' if depth == 0 => return Some((&after[..at], &after[at + 1..])),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// What a text says that is a reference in other tools, and how to write it here. Text with other words around it is left
/// alone: prompts and templates use the same signs.
fn foreign(text: &str) -> Option<(String, String)> {
    let is_name = |name: &str| variable(name).is_some_and(|(_, default)| default.is_none());
    let inner = if let Some(name) = text.strip_prefix('$').filter(|name| is_name(name)) {
        name
    } else if let Some(inner) = text.strip_prefix("${").and_then(|inner| inner.strip_suffix('}')) {
        inner
    } else if let Some(inner) = text.strip_prefix("{{").and_then(|inner| inner.strip_suffix("}}")) {
        inner
    } else {
        text.strip_prefix('%').and_then(|inner| inner.strip_suffix('%')).filter(|name| is_name(name))?
    };
    let inner = inner.trim();
    let inner = inner.strip_prefix("env:").or_else(|| inner.strip_prefix("env.")).unwrap_or(inner);
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let name = Some(&inner[..end]).filter(|name| is_name(name)).unwrap_or("NAME");
    let hint = format!("write `${{{name}}}` or `${{{name}:-default}}`, or `$${{` for a plain `${{`");
    Some((format!("`{text}` is no reference here, and stays as it is"), hint))
}

/// Name and default of what stands between the braces.
fn variable(inner: &str) -> Option<(&str, Option<&str>)> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, default))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::redact;
    use crate::config::yaml::compose::compose;

    fn read(text: &str) -> (Node, Vec<String>) {
        let vars = BTreeMap::from([("N".to_owned(), "4".to_owned()), ("EMPTY".to_owned(), String::new())]);
        let mut node = compose(text).unwrap().root;
        let (dangling, _) = resolve(&mut node, &vars, FilePath::new("/nonexistent"));
        (node, dangling.into_iter().map(|d| format!("{}: {}", d.path, d.message)).collect())
    }

    fn json_of(text: &str) -> Value {
        let (node, dangling) = read(text);
        assert_eq!(dangling, [""; 0], "{text}");
        node.to_json()
    }

    #[test]
    fn variables_and_defaults_are_filled_in() {
        assert_eq!(json_of("a: ${N}"), json!({"a": "4"}));
        assert_eq!(json_of("a: '${N}'"), json!({"a": "4"}));
        assert_eq!(json_of("a: x${N}y${N}"), json!({"a": "x4y4"}));
        assert_eq!(json_of("a: ${M:-7}"), json!({"a": "7"}));
        assert_eq!(json_of("a: ${M:-${L:-x}y}z"), json!({"a": "xyz"}));
        assert_eq!(json_of("a: ${EMPTY}"), json!({"a": null}));
        assert_eq!(json_of("a: '${M:-a b}'"), json!({"a": "a b"}));
        assert_eq!(json_of("a: ${EMPTY:-7}"), json!({"a": "7"}));
        assert_eq!(json_of("a: '${EMPTY}'"), json!({"a": ""}));
    }

    #[test]
    fn what_is_no_reference_stays() {
        assert_eq!(json_of("a: '$${N}'"), json!({"a": "${N}"}));
        for text in ["${", "x $N", "say ${a.b} twice", "file:///etc/x", "file:", "$5", "100%"] {
            assert_eq!(json_of(&format!("a: '{text}'")), json!({"a": text}), "{text}");
        }
    }

    #[test]
    fn references_of_other_tools_are_told_and_stay() {
        for text in ["$N", "${}", "${a.b}", "${N-x}", "${N:?say}", "${env:N}", "${ N }", "{{ N }}", "%N%"] {
            let (node, dangling) = read(&format!("a: '{text}'"));
            assert_eq!(node.to_json(), json!({"a": text}));
            assert_eq!(dangling.len(), 1, "{text}");
        }
        let says = foreign("${N-x}").expect("it looks like one").1;
        assert!(says.contains("`${N}`"), "{says}");
    }

    #[test]
    fn a_missing_variable_and_a_missing_file_are_told_with_their_place() {
        let (node, dangling) = read("a: [x, 'p ${M}']\nb: file:key\n");
        assert_eq!(
            dangling,
            [
                "a[1]: the variable `M` is not set",
                "b: cannot read the file `/nonexistent/key`: entity not found"
            ]
        );
        assert_eq!(node.to_json(), json!({"a": ["x", "p ${M}"], "b": "file:key"}));
    }

    #[test]
    fn what_came_from_a_reference_is_never_shown() {
        let (node, _) = read("a: ${N}\nb: 4\n");
        assert_eq!(redact::masked(&node), json!({"a": "********", "b": 4}));
    }
}
