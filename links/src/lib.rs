//! The built-in links: one module each, and the list of them.
//!
//! A link is given the document and says what became of it; it knows no queue, no storage and no other link.
//!
//! | link | what it does |
//! |---|---|
//! | [`tag`] | adds tags |
//! | [`tag_router`] | puts the id on lists, by tags |
//! | [`delay`] | waits |
//! | [`jq_link`] | lets vCons pass by a jq filter |
//! | [`sampler`] | lets a part of the vCons pass |
//! | [`validate`] | checks the vCon against a profile |
//! | [`diet`] | takes out what need not be kept |
//! | [`expire_vcon`] | lets the working copy expire |
//! | [`webhook`] | sends the vCon to URLs |

pub mod delay;
pub mod diet;
mod document;
pub mod expire_vcon;
pub mod jq_link;
pub mod sampler;
pub mod tag;
pub mod tag_router;
pub mod validate;
pub mod webhook;

use conserver_core::registry::Registry;

/// Lists every link of this crate.
pub fn register(registry: &mut Registry) {
    registry.link::<tag::Tag>().link::<tag_router::TagRouter>().link::<delay::Delay>();
    registry
        .link::<jq_link::JqLink>()
        .link::<sampler::Sampler>()
        .link::<validate::Validate>()
        .link::<diet::Diet>();
    registry.link::<expire_vcon::ExpireVcon>().link::<webhook::Webhook>();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_lists_every_link() {
        let mut registry = Registry::new();
        register(&mut registry);
        assert!(registry.links().eq([
            "tag",
            "tag_router",
            "delay",
            "jq_link",
            "sampler",
            "validate",
            "diet",
            "expire_vcon",
            "webhook",
        ]));
    }
}
