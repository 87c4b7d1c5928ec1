//! The contracts of queue and store, on a real Redis.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test binary")]

mod support;

mod queue {
    use crate::support::Bench;

    conserver_testkit::queue_suite!(Bench::new().await);
}

mod queue_with_documents_that_follow {
    use crate::support::Bench;

    conserver_testkit::queue_suite!(Bench::following().await);
}

mod store {
    use crate::support::Bench;

    conserver_testkit::store_suite!(Bench::new().await);
}

mod intake {
    use crate::support::Bench;

    conserver_testkit::intake_suite!(Bench::new().await);
}

mod directory {
    use crate::support::Bench;

    conserver_testkit::directory_suite!(Bench::new().await);
}

mod chronicle {
    use crate::support::Bench;

    conserver_testkit::chronicle_suite!(Bench::new().await);
}
