//! Puts the vCon's id on lists, by the names of its tags.
//!
//! The document stays as it is. The pushes are effects: the runner applies them all together with the end of the run,
//! so a crash neither routes by half nor twice.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::config::coerce::{self, Text};
use conserver_core::link::{Effect, Link, LinkContext, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::Vcon;
use conserver_core::{Error, ErrorKind, QueueName, Result};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;

use crate::document::{needed, refused};

/// Options of a tag router.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TagRouterOptions {
    /// The list for each tag name: a vCon with such a tag, whatever the tag's value, goes there. Default: none, and then
    /// every vCon passes.
    #[serde(deserialize_with = "routes")]
    #[schemars(with = "Option<IndexMap<String, Text>>")]
    pub tag_routes: IndexMap<String, QueueName>,

    /// Whether the vCon also goes on through this chain. Without it the chain ends here for every vCon, and one that
    /// no route matches is neither stored nor put anywhere. Default `true`.
    #[serde(deserialize_with = "null_is_false")]
    #[schemars(with = "Option<coerce::Boolean>")]
    pub forward_original: bool,
}

impl Default for TagRouterOptions {
    fn default() -> Self {
        Self { tag_routes: IndexMap::new(), forward_original: true }
    }
}

/// The registry's entry.
#[derive(Debug)]
pub struct TagRouter;

impl LinkKind for TagRouter {
    const NAME: &'static str = "tag_router";
    const ALIASES: &'static [&'static str] = &["links.tag_router"];
    type Options = TagRouterOptions;

    fn check(options: &TagRouterOptions) -> Vec<String> {
        if options.tag_routes.is_empty() {
            return vec!["`tag_routes` is empty, so every vCon passes and none is routed".to_owned()];
        }
        let warning =
            "`forward_original` is false: a vCon that no route matches ends here and is stored nowhere";
        if options.forward_original { Vec::new() } else { vec![warning.to_owned()] }
    }

    fn build(options: TagRouterOptions, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        Ok(Arc::new(TagRouterLink { options }))
    }
}

/// Routes by these options.
#[derive(Debug)]
pub struct TagRouterLink {
    options: TagRouterOptions,
}

impl TagRouterLink {
    /// The lists that the tags lead to: each once, in the order of the tags.
    fn targets(&self, vcon: &Vcon) -> Result<Vec<QueueName>> {
        let mut seen = HashSet::new();
        let mut targets = Vec::new();
        for name in tag_names(vcon)? {
            targets.extend(
                self.options.tag_routes.get(&name).filter(|list| seen.insert((*list).clone())).cloned(),
            );
        }
        Ok(targets)
    }
}

#[async_trait]
impl Link for TagRouterLink {
    fn feeds(&self) -> Vec<QueueName> {
        let mut seen = HashSet::new();
        self.options.tag_routes.values().filter(|list| seen.insert(*list)).cloned().collect()
    }

    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        let vcon = needed(vcon)?;
        if self.options.tag_routes.is_empty() {
            return Ok(LinkOutcome::next(Some(vcon)));
        }
        let targets = self.targets(&vcon)?;
        let enqueue = |queue| Effect::Enqueue { queue, id: vcon.id().clone() };
        let effects: Vec<Effect> = targets.into_iter().map(enqueue).collect();
        let outcome = match (self.options.forward_original, effects.is_empty()) {
            (true, _) => LinkOutcome::next(Some(vcon)),
            (false, true) => {
                LinkOutcome::halt(Some(vcon), "no tag has a route and `forward_original` is false")
            }
            (false, false) => LinkOutcome::halt(Some(vcon), "routed and `forward_original` is false"),
        };
        Ok(outcome.with_effects(effects))
    }
}

/// The names of all tags: the part before the first colon of each item of a list, the names of an object. A list's item
/// without a colon names nothing, as with the Python server.
fn tag_names(vcon: &Vcon) -> Result<Vec<String>> {
    // Refuses a body that says it is JSON and is none: its vCon would be routed nowhere without anybody noticing.
    vcon.tags().map_err(|error| refused(&error))?;
    let mut names = Vec::new();
    for attachment in vcon.attachments().filter(|entry| entry.purpose().as_deref() == Some("tags")) {
        let Some(json) = attachment.body().and_then(|body| body.json_text()) else { continue };
        match serde_json::from_str(&json) {
            Ok(Value::Array(items)) => names.extend(items.iter().filter_map(name_of)),
            Ok(Value::Object(members)) => names.extend(members.into_iter().map(|(name, _)| name)),
            Ok(_) => {}
            // The parser's own text may quote the body.
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "the tags attachment holds text that is no Unicode",
                ));
            }
        }
    }
    names.retain(|name| !name.is_empty());
    Ok(names)
}

fn name_of(item: &Value) -> Option<String> {
    Some(item.as_str()?.split_once(':')?.0.to_owned())
}

/// Null is no routes; a list that cannot be one is refused with the configuration.
fn routes<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<IndexMap<String, QueueName>, D::Error> {
    let routes: Option<IndexMap<String, Text>> = Option::deserialize(deserializer)?;
    let checked = |(tag, Text(list)): (String, Text)| Ok((tag, list.parse().map_err(D::Error::custom)?));
    routes.unwrap_or_default().into_iter().map(checked).collect()
}

/// Null is false, as in the Python server; only without the option it is true.
fn null_is_false<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(coerce::opt_boolean(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
