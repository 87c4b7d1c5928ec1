//! A place in the document: `chains.main.links[2]`.

use std::fmt;

/// Steps from the root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Path(Vec<Step>);

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Into a map.
    Key(String),
    /// Into a list.
    Index(usize),
}

impl Path {
    /// The root itself.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// The value of a key.
    pub(crate) fn key(&self, key: impl Into<String>) -> Self {
        self.step(Step::Key(key.into()))
    }

    /// An item of a list.
    pub(crate) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    /// The steps, from the root.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether `self` is `other` or lies below it.
    pub(crate) fn is_within(&self, other: &Path) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The steps from `other` to `self`, if it lies there.
    pub(crate) fn below(&self, other: &Path) -> Option<Path> {
        self.0.strip_prefix(other.0.as_slice()).map(|steps| Self(steps.to_vec()))
    }

    /// Whether `self` stands directly below `other`.
    pub(crate) fn is_child_of(&self, other: &Path) -> bool {
        self.0.len() == other.0.len() + 1 && self.is_within(other)
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    let dot = if depth > 0 { "." } else { "" };
                    let plain = !key.is_empty()
                        && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ':'));
                    if plain { write!(f, "{dot}{key}")? } else { write!(f, "{dot}{key:?}")? }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_keys_are_quoted() {
        let path = Path::root().key("chains").key("a.b").key("links").index(2);
        assert_eq!(path.to_string(), "chains.\"a.b\".links[2]");
        assert!(path.is_within(&Path::root().key("chains")));
        assert!(path.is_child_of(&Path::root().key("chains").key("a.b").key("links")));
    }
}
