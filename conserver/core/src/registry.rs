//! From a module name in the file to a built link or storage.
//!
//! A kind says its name, its aliases and its options type; parsing, the schema and the message for an unknown
//! name are done here, once. Registration is an explicit list that one can read.

mod kind;
mod module;

use std::sync::Arc;

use schemars::{Schema, SchemaGenerator};

use crate::config::Plan;
use crate::config::plan::{AdapterPlan, StoragePlan};
use crate::link::Link;
use crate::storage::Storage;
use crate::{LinkName, Result, Secret, StorageName};

pub use kind::{BuildContext, LinkKind, StorageKind};
pub(crate) use module::{Family, Found, Module};

/// The links and storages of this build.
#[derive(Default)]
pub struct Registry {
    links: Vec<Module<dyn Link>>,
    storages: Vec<Module<dyn Storage>>,
    missing: Vec<Missing>,
    redis: Option<AddressCheck>,
}

/// Tells what is wrong with an address, by its form.
type AddressCheck = fn(&Secret) -> Result<()>;

/// A link or storage that exists, but not in this build.
struct Missing {
    name: &'static str,
    feature: &'static str,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists a kind of link.
    pub fn link<K: LinkKind>(&mut self) -> &mut Self {
        debug_assert!(self.links.iter().all(|known| known.name != K::NAME), "`{}` is listed twice", K::NAME);
        self.links.push(Module::link::<K>());
        self
    }

    /// Lists a kind of storage.
    pub fn storage<K: StorageKind>(&mut self) -> &mut Self {
        debug_assert!(
            self.storages.iter().all(|known| known.name != K::NAME),
            "`{}` is listed twice",
            K::NAME
        );
        self.storages.push(Module::storage::<K>());
        self
    }

    /// Says that a link or storage of this short name exists and that this build lacks the feature for it, so that
    /// the message for its name can say so.
    pub fn missing(&mut self, name: &'static str, feature: &'static str) -> &mut Self {
        self.missing.push(Missing { name, feature });
        self
    }

    /// Says what tells whether an address of Redis can be used: only the backend knows, and it is wanted with the
    /// configuration.
    pub fn redis_address(&mut self, check: fn(&Secret) -> Result<()>) -> &mut Self {
        self.redis = Some(check);
        self
    }

    /// What is wrong with an address of Redis.
    pub(crate) fn check_redis(&self, address: &Secret) -> Result<()> {
        self.redis.map_or(Ok(()), |check| check(address))
    }

    /// The short names of the links of this build, in the order they were listed.
    pub fn links(&self) -> impl Iterator<Item = &'static str> {
        self.links.iter().map(|module| module.name)
    }

    /// The short names of the storages of this build, in the order they were listed.
    pub fn storages(&self) -> impl Iterator<Item = &'static str> {
        self.storages.iter().map(|module| module.name)
    }

    /// Builds a link of a plan.
    ///
    /// # Errors
    /// `Unsupported` if this build lacks its kind, `Invalid` if its options are not what the kind takes.
    pub fn build_link(&self, plan: &AdapterPlan<LinkName>, cx: &BuildContext) -> Result<Arc<dyn Link>> {
        module::build(&self.links, plan.kind, plan.name.as_str(), &plan.options, cx)
    }

    /// Builds a storage of a plan.
    ///
    /// # Errors
    /// As [`Registry::build_link`].
    pub fn build_storage(
        &self,
        plan: &AdapterPlan<StorageName>,
        cx: &BuildContext,
    ) -> Result<Arc<dyn Storage>> {
        module::build(&self.storages, plan.kind, plan.name.as_str(), &plan.options, cx)
    }

    /// Every link of a plan that this build has, built.
    pub fn links_of<'a>(
        &'a self,
        plan: &'a Plan,
    ) -> impl Iterator<Item = (&'a AdapterPlan<LinkName>, Result<Arc<dyn Link>>)> {
        plan.links.iter().filter(|link| link.kind.is_some()).map(|link| {
            let context = BuildContext::of(&plan.settings, link.name.as_str());
            (link, self.build_link(link, &context))
        })
    }

    /// Every storage of a plan that this build has, built.
    pub fn storages_of<'a>(
        &'a self,
        plan: &'a Plan,
    ) -> impl Iterator<Item = (&'a StoragePlan, Result<Arc<dyn Storage>>)> {
        plan.storages.iter().filter(|storage| storage.adapter.kind.is_some()).map(|storage| {
            let context = BuildContext::of(&plan.settings, storage.adapter.name.as_str());
            (storage, self.build_storage(&storage.adapter, &context))
        })
    }

    /// The schema of each link's options, by short name.
    pub(crate) fn link_schemas<'a>(
        &'a self,
        generator: &'a mut SchemaGenerator,
    ) -> impl Iterator<Item = (Vec<String>, Schema)> + 'a {
        self.links.iter().map(move |module| (module.names(Family::Link), (module.schema)(generator)))
    }

    /// The schema of each storage's options, by short name.
    pub(crate) fn storage_schemas<'a>(
        &'a self,
        generator: &'a mut SchemaGenerator,
    ) -> impl Iterator<Item = (Vec<String>, Schema)> + 'a {
        self.storages.iter().map(move |module| (module.names(Family::Storage), (module.schema)(generator)))
    }

    /// The link that a module name of the file means.
    pub(crate) fn find_link(&self, module: &str) -> Found<'_, dyn Link> {
        module::find(&self.links, Family::Link, module, |name| self.feature_of(name))
    }

    /// The storage that a module name of the file means.
    pub(crate) fn find_storage(&self, module: &str) -> Found<'_, dyn Storage> {
        module::find(&self.storages, Family::Storage, module, |name| self.feature_of(name))
    }

    fn feature_of(&self, name: &str) -> Option<&'static str> {
        self.missing.iter().find(|missing| missing.name == name).map(|missing| missing.feature)
    }
}
