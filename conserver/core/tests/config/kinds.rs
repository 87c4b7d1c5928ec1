//! Two small links and one storage to load configurations with; a build with more lacks `postgres`.

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::config::coerce;
use conserver_core::link::{Link, LinkContext, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind, Registry, StorageKind};
use conserver_core::storage::{Storage, StorageInfo};
use conserver_core::vcon::{Vcon, VconId};
use conserver_core::{Error, ErrorKind, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// The registry of all cases.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.link::<Mark>().link::<Post>().storage::<Folder>().missing("postgres", "storage-postgres");
    registry
}

struct Mark;

#[derive(Deserialize, JsonSchema)]
#[serde(default)]
struct MarkOptions {
    /// Marks to set.
    #[serde(deserialize_with = "coerce::one_or_many", alias = "mark")]
    #[schemars(with = "coerce::OneOrMany<String>")]
    marks: Vec<String>,
    /// Whether to set them again.
    #[serde(deserialize_with = "coerce::boolean")]
    #[schemars(with = "coerce::Boolean")]
    again: bool,
}

impl Default for MarkOptions {
    fn default() -> Self {
        Self { marks: vec!["seen".to_owned()], again: false }
    }
}

impl LinkKind for Mark {
    const NAME: &'static str = "mark";
    const ALIASES: &'static [&'static str] = &["links.marker"];
    type Options = MarkOptions;

    fn check(options: &MarkOptions) -> Vec<String> {
        if options.marks.is_empty() {
            vec!["`marks` is empty, so the link does nothing".to_owned()]
        } else {
            vec![]
        }
    }

    fn build(options: MarkOptions, cx: &BuildContext) -> Result<Arc<dyn Link>> {
        match options.marks.first() {
            Some(_) => Ok(Arc::new(Pass)),
            None => Err(Error::new(ErrorKind::Invalid, format!("`{}` has no marks", cx.name))),
        }
    }
}

struct Post;

#[derive(Deserialize, JsonSchema)]
struct PostOptions {
    /// Where to.
    url: String,
    /// The port.
    #[serde(default, deserialize_with = "coerce::opt_integer")]
    #[schemars(with = "Option<coerce::Integer<u16>>")]
    port: Option<u16>,
    /// The key.
    #[serde(default)]
    api_key: Secret,
    /// How.
    #[serde(default)]
    how: How,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct How {
    /// Compressed.
    compress: bool,
}

impl LinkKind for Post {
    const NAME: &'static str = "post";
    const ALIASES: &'static [&'static str] = &[];
    type Options = PostOptions;

    fn build(options: PostOptions, _: &BuildContext) -> Result<Arc<dyn Link>> {
        let _ = (options.url, options.port, options.api_key, options.how.compress);
        Ok(Arc::new(Pass))
    }
}

struct Pass;

#[async_trait]
impl Link for Pass {
    async fn run(&self, _: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        Ok(LinkOutcome::next(vcon))
    }
}

struct Folder;

#[derive(Deserialize, JsonSchema)]
#[serde(default)]
struct FolderOptions {
    /// Where.
    path: String,
    /// Permissions.
    #[serde(deserialize_with = "coerce::file_mode")]
    #[schemars(with = "coerce::FileMode")]
    file_permissions: u32,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self { path: "vcons".to_owned(), file_permissions: 0o644 }
    }
}

impl StorageKind for Folder {
    const NAME: &'static str = "folder";
    const ALIASES: &'static [&'static str] = &["storage.file"];
    type Options = FolderOptions;

    fn build(options: FolderOptions, _: &BuildContext) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(Nowhere { path: options.path, mode: options.file_permissions }))
    }
}

struct Nowhere {
    path: String,
    mode: u32,
}

#[async_trait]
impl Storage for Nowhere {
    fn info(&self) -> StorageInfo {
        // What was read of the options shows, so that a test can see that they arrived.
        let batch = if self.path == "/srv/vcons" { self.mode as usize } else { 1 };
        StorageInfo::new("folder").batch(batch)
    }

    async fn save(&self, batch: &[Vcon]) -> Vec<Result<()>> {
        batch.iter().map(|_| Err(Error::new(ErrorKind::Unsupported, "nothing is kept here"))).collect()
    }

    async fn get(&self, _: &VconId) -> Result<Option<Vcon>> {
        Ok(None)
    }

    async fn delete(&self, _: &VconId) -> Result<bool> {
        Ok(false)
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}
