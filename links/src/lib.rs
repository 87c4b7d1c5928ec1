//! The built-in links: one module each, and the list of them.
//!
//! A link is given the document and says what became of it; it knows no queue, no storage and no other link.
//!
//! | link | what it does |
//! |---|---|
//! | [`tag`] | adds tags |
//! | [`tag_router`] | puts the id on lists, by tags |
//! | [`delay`] | waits |

pub mod delay;
mod document;
pub mod tag;
pub mod tag_router;

use conserver_core::registry::Registry;

/// Lists every link of this crate.
pub fn register(registry: &mut Registry) {
    registry.link::<tag::Tag>().link::<tag_router::TagRouter>().link::<delay::Delay>();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_lists_every_link() {
        let mut registry = Registry::new();
        register(&mut registry);
        assert!(registry.links().eq(["tag", "tag_router", "delay"]));
    }
}
