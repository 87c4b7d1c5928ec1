//! The contracts of queue and store, on a real Redis.

mod support;

mod queue {
    use crate::support::Bench;

    conserver_testkit::queue_suite!(Bench::new().await);
}

mod store {
    use crate::support::Bench;

    conserver_testkit::store_suite!(Bench::new().await);
}
