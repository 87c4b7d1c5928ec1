//! The router on both backends, and the server on real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    missing_docs,
    unreachable_pub,
    reason = "a test binary"
)]

mod access;
mod config;
mod described;
mod docs;
mod events;
mod letters;
mod lists;
mod site;
mod sockets;
mod tolerance;
mod vcons;

/// What is peculiar to Redis has no place in the lists: its keys, and what it says when it is away.
#[test]
fn all_cases_but_those_about_redis_itself_run_on_both_backends() {
    let lists = [
        access::ON_BOTH,
        config::ON_BOTH,
        docs::ON_BOTH,
        letters::ON_BOTH,
        lists::ON_BOTH,
        tolerance::ON_BOTH,
        vcons::ON_BOTH,
    ];
    assert_eq!(lists.map(<[_]>::len).iter().sum::<usize>(), 44);
}
