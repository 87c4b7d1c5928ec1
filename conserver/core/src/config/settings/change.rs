//! What a changed file brings only at the next start.

use super::{ApiSettings, Settings};

impl Settings {
    /// The keys of the file that differ from `start`, those that a process began with, and that a reload does not take
    /// up.
    pub fn waits_for_start(&self, start: &Self) -> Vec<&'static str> {
        // All are named, so that each new one is thought of.
        let Self {
            redis_url,
            data_dir,
            workers,
            threads,
            body_shape,
            delivery,
            drain_timeout,
            max_document_bytes,
            max_bytes_in_flight,
            stories,
            statsd,
            api:
                ApiSettings {
                    listen,
                    root_path,
                    cors,
                    tls,
                    audit,
                    header: _,
                    keys: _,
                    ingress_auth: _,
                    max_queue_length: _,
                    overload_status: _,
                    unknown_lists: _,
                },
            // Taken up, with the chains.
            claim_order: _,
            concurrency: _,
            // The environment alone says these: it does not change while we run.
            config_file: _,
            vcon_expiry: _,
            index_expiry: _,
            context_expiry: _,
            dlq_expiry: _,
            sorted_set: _,
            storage_fallback: _,
            legacy_egress: _,
            uuid_domain: _,
            log: _,
            otlp: _,
            version: _,
        } = self;
        let limits = (max_document_bytes, max_bytes_in_flight)
            != (&start.max_document_bytes, &start.max_bytes_in_flight);
        let differs = [
            ("redis", *redis_url != start.redis_url),
            ("data_dir", *data_dir != start.data_dir),
            ("workers", *workers != start.workers),
            ("threads", *threads != start.threads),
            ("body_shape", *body_shape != start.body_shape),
            ("delivery", *delivery != start.delivery),
            ("drain_timeout", *drain_timeout != start.drain_timeout),
            ("limits", limits),
            ("stories", *stories != start.stories),
            ("statsd", *statsd != start.statsd),
            ("api.listen", *listen != start.api.listen),
            ("api.root_path", *root_path != start.api.root_path),
            ("api.cors", *cors != start.api.cors),
            ("api.tls", *tls != start.api.tls),
            ("api.audit", *audit != start.api.audit),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}
