//! One kind with its type erased, and the look-up by any of its names.

use std::sync::Arc;

use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use super::kind::{BuildContext, LinkKind, StorageKind};
use crate::config::nearest;
use crate::config::yaml::decode::{Flaw, UnknownKey};
use crate::config::yaml::{Node, Path, decode};
use crate::link::Link;
use crate::storage::Storage;
use crate::{Error, ErrorKind, Result};

/// A kind of link or storage.
pub(crate) struct Module<T: ?Sized> {
    /// The short name.
    pub(crate) name: &'static str,
    aliases: &'static [&'static str],
    /// Looks at options where they stand in the file.
    pub(crate) check: fn(&Node, &Path) -> Checked,
    /// The schema of the options.
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
    build: fn(&Node, &BuildContext) -> Result<Arc<T>>,
}

/// What a look at options found.
pub(crate) struct Checked {
    pub(crate) flaws: Vec<Flaw>,
    pub(crate) unknown: Vec<UnknownKey>,
    /// What the kind itself says about options that parsed.
    pub(crate) sentences: Vec<String>,
    /// Values of references that are meant as plain scalars.
    pub(crate) scalars: Vec<Path>,
}

/// What a module name of the file means.
pub(crate) enum Found<'a, T: ?Sized> {
    /// A kind of this build.
    Module(&'a Module<T>),
    /// Nothing of this build: why, and the way out.
    Nothing { message: String, hint: Option<String> },
}

/// Which of the two lists is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Link,
    Storage,
}

impl Family {
    /// The word for one of them.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Storage => "storage",
        }
    }

    /// The package that the Python server keeps them in: `links.tag`, `storage.file`.
    fn package(self) -> &'static str {
        match self {
            Self::Link => "links.",
            Self::Storage => "storage.",
        }
    }
}

impl Module<dyn Link> {
    pub(crate) fn link<K: LinkKind>() -> Self {
        Self {
            name: K::NAME,
            aliases: K::ALIASES,
            check: |node, path| check(node, path, K::check),
            schema: |generator| generator.subschema_for::<K::Options>(),
            build: |node, cx| K::build(options(node)?, cx),
        }
    }
}

impl Module<dyn Storage> {
    pub(crate) fn storage<K: StorageKind>() -> Self {
        Self {
            name: K::NAME,
            aliases: K::ALIASES,
            check: |node, path| check(node, path, K::check),
            schema: |generator| generator.subschema_for::<K::Options>(),
            build: |node, cx| K::build(options(node)?, cx),
        }
    }
}

impl<T: ?Sized> Module<T> {
    /// Every name it goes by in a file.
    pub(crate) fn names(&self, family: Family) -> Vec<String> {
        let mut names = vec![self.name.to_owned(), format!("{}{}", family.package(), self.name)];
        names.extend(self.aliases.iter().map(|&alias| alias.to_owned()));
        names.dedup();
        names
    }

    fn is_called(&self, family: Family, module: &str) -> bool {
        self.name == module
            || module.strip_prefix(family.package()) == Some(self.name)
            || self.aliases.contains(&module)
    }
}

/// Looks a module name up; `feature_of` knows what the build left out, by short name.
pub(super) fn find<'a, T: ?Sized>(
    modules: &'a [Module<T>],
    family: Family,
    module: &str,
    feature_of: impl Fn(&str) -> Option<&'static str>,
) -> Found<'a, T> {
    if let Some(found) = modules.iter().find(|known| known.is_called(family, module)) {
        return Found::Module(found);
    }
    let short = module.strip_prefix(family.package()).unwrap_or(module);
    if let Some(feature) = feature_of(short) {
        return Found::Nothing {
            message: format!("`{module}` is known, but this build lacks the feature `{feature}`"),
            hint: Some(format!("build with `--features {feature}`")),
        };
    }
    let names =
        || modules.iter().flat_map(|known| std::iter::once(known.name).chain(known.aliases.iter().copied()));
    let hint = match nearest::find(module, names()).or_else(|| nearest::find(short, names())) {
        Some(name) => Some(format!("did you mean `{name}`?")),
        None => nearest::hint(short, modules.iter().map(|known| known.name)),
    };
    Found::Nothing { message: format!("this build has no {} module `{module}`", family.noun()), hint }
}

/// Builds what a plan names.
pub(super) fn build<T: ?Sized>(
    modules: &[Module<T>],
    kind: Option<&'static str>,
    name: &str,
    options: &Value,
    cx: &BuildContext,
) -> Result<Arc<T>> {
    let Some(module) = modules.iter().find(|known| Some(known.name) == kind) else {
        return Err(Error::new(ErrorKind::Unsupported, format!("this build lacks the module of `{name}`")));
    };
    (module.build)(&Node::from(options), cx).map_err(|error| error.context(format!("build `{name}`")))
}

fn check<T: serde::de::DeserializeOwned>(
    node: &Node,
    path: &Path,
    sentences: fn(&T) -> Vec<String>,
) -> Checked {
    let decoded = decode::<T>(node, path);
    // A kind judges options as a whole: with a part of them taken out it would judge something else.
    let sentences = match &decoded.value {
        Some(options) if decoded.flaws.is_empty() => sentences(options),
        _ => Vec::new(),
    };
    Checked { flaws: decoded.flaws, unknown: decoded.unknown, sentences, scalars: decoded.scalars }
}

/// Options of a plan, which were looked at when the plan was made.
fn options<T: serde::de::DeserializeOwned>(node: &Node) -> Result<T> {
    let decoded = decode::<T>(node, &Path::root().key("options"));
    match (decoded.value, decoded.flaws.first()) {
        (Some(options), None) => Ok(options),
        (_, Some(flaw)) => Err(Error::new(ErrorKind::Invalid, format!("{}: {}", flaw.path, flaw.message))),
        (None, None) => Err(Error::new(ErrorKind::Invalid, "the options cannot be read")),
    }
}
