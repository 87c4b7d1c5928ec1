//! HTTP as links and storages speak it: the one place where a client is set up.
//!
//! * [`client`]: timeouts always, TLS by ring with the public authorities, proxies of the environment, no redirect that leads
//!   elsewhere. It connects when it is first used.
//! * [`address`]: a URL that shows itself without user, password and query.
//! * [`answer`]: what came back, read up to a bound.
//! * [`error`]: what a status, or no answer, means for the vCon: one table for everybody.
//! * [`sign`]: a signature of the body, by which a receiver knows who sent it.
//! * [`once`]: what was done already in an attempt that failed.
//! * [`webhook`]: one document to several receivers, which the link and the storage of that name share.
//!
//! Nothing here retries or logs; what a receiver says in its bodies is in no error text.

pub mod address;
pub mod answer;
pub mod client;
pub mod error;
pub mod once;
pub mod sign;
pub mod webhook;

pub use address::Address;
pub use answer::Answer;
pub use client::{HttpClient, IDEMPOTENCY_KEY, Request};
pub use reqwest::Method;
pub use reqwest::header;
