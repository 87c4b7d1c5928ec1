//! `${VAR}`, `${VAR:-default}` and `file:` references, resolved when a file is loaded.
//!
//! They work in values, not in keys. `$${` is a plain `${`. What came from a reference is marked hidden and never
//! shown. A plain scalar is read again after its reference is resolved, so `workers: ${N}` is a number.

use std::path::Path as FilePath;

use super::node::{Content, Node};
use super::path::Path;
use super::scalar;
use crate::config::env::Vars;

/// A reference that leads nowhere; its text stays as it was.
#[derive(Debug)]
pub(crate) struct Dangling {
    pub(crate) path: Path,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Resolves all references of a tree; relative files are looked for in `directory`.
pub(crate) fn resolve(node: &mut Node, vars: &dyn Vars, directory: &FilePath) -> Vec<Dangling> {
    let mut resolver = Resolver { vars, directory, dangling: Vec::new() };
    resolver.visit(node, &Path::root());
    resolver.dangling
}

struct Resolver<'a> {
    vars: &'a dyn Vars,
    directory: &'a FilePath,
    dangling: Vec<Dangling>,
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
                    Ok(None) => {}
                    Ok(Some(resolved)) => {
                        node.content =
                            if node.plain { scalar::resolve(&resolved) } else { Content::Text(resolved) };
                        node.hidden = true;
                    }
                    Err((message, hint)) => {
                        self.dangling.push(Dangling { path: path.clone(), message, hint })
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
            match after.split_once('}').and_then(|(inner, tail)| Some((variable(inner)?, tail))) {
                Some(((name, default), tail)) => {
                    let value = self.vars.get(name).filter(|value| !value.is_empty() || default.is_none());
                    match value.or_else(|| default.map(str::to_owned)) {
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
        let dangling = resolve(&mut node, &vars, FilePath::new("/nonexistent"));
        (node, dangling.into_iter().map(|d| format!("{}: {}", d.path, d.message)).collect())
    }

    fn json_of(text: &str) -> Value {
        let (node, dangling) = read(text);
        assert_eq!(dangling, [""; 0], "{text}");
        node.to_json()
    }

    #[test]
    fn variables_and_defaults_are_filled_in() {
        assert_eq!(json_of("a: ${N}"), json!({"a": 4}));
        assert_eq!(json_of("a: '${N}'"), json!({"a": "4"}));
        assert_eq!(json_of("a: x${N}y${N}"), json!({"a": "x4y4"}));
        assert_eq!(json_of("a: ${M:-7}"), json!({"a": 7}));
        assert_eq!(json_of("a: '${M:-a b}'"), json!({"a": "a b"}));
        assert_eq!(json_of("a: ${EMPTY:-7}"), json!({"a": 7}));
        assert_eq!(json_of("a: '${EMPTY}'"), json!({"a": ""}));
    }

    #[test]
    fn what_is_no_reference_stays() {
        assert_eq!(json_of("a: '$${N}'"), json!({"a": "${N}"}));
        for text in ["$N", "${", "${}", "${a.b}", "file:///etc/x", "file:"] {
            assert_eq!(json_of(&format!("a: '{text}'")), json!({"a": text}), "{text}");
        }
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
