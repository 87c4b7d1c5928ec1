//! The list of storages: each is a package of its own with its driver in it, and a feature here.
//!
//! A storage that a build leaves out stays known by name, so that the message for it names the feature.

use conserver_core::registry::Registry;

/// Lists every storage of this build, and those it leaves out.
pub fn register(registry: &mut Registry) {
    #[cfg(feature = "file")]
    registry.storage::<conserver_storage_file::File>();
    #[cfg(not(feature = "file"))]
    registry.missing("file", "storage-file");

    #[cfg(feature = "postgres")]
    registry.storage::<conserver_storage_postgres::Postgres>();
    #[cfg(not(feature = "postgres"))]
    registry.missing("postgres", "storage-postgres");

    #[cfg(feature = "redis")]
    registry.storage::<conserver_storage_redis::RedisStorage>();
    #[cfg(not(feature = "redis"))]
    registry.missing("redis_storage", "storage-redis");

    #[cfg(feature = "webhook")]
    registry.storage::<conserver_storage_webhook::Webhook>();
    #[cfg(not(feature = "webhook"))]
    registry.missing("webhook", "storage-webhook");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_lists_the_storages_of_the_features() {
        let expected = [
            ("file", cfg!(feature = "file")),
            ("postgres", cfg!(feature = "postgres")),
            ("redis_storage", cfg!(feature = "redis")),
            ("webhook", cfg!(feature = "webhook")),
        ];
        let expected = expected.into_iter().filter_map(|(name, is_in)| is_in.then_some(name));
        let mut registry = Registry::new();
        register(&mut registry);
        assert!(registry.storages().eq(expected));
    }
}
