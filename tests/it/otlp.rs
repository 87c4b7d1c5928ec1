//! What an OpenTelemetry collector and a StatsD server get.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::time::Duration;

use conserver_testkit::collector::{Attributes, Collector, Received, Span};
use conserver_testkit::vcons::Vcons;
use serde_json::Value;

use crate::site::{Site, until};

const CONFIG: &str = "
conserver: 1
links:
  mark: {module: tag, options: {tags: {seen: yes}}}
storages:
  files: {module: file, options: {path: $DIR/files}}
chains:
  main: {links: [mark], storages: [files], ingress_lists: [in], egress_lists: [out]}
";

const PRODUCER: (&str, &str) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");

fn site_at(endpoint: &str) -> Site {
    Site::new(CONFIG)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme")
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "300")
}

/// Pushes a vCon as a producer that traces does.
fn push_traced(site: &Site, vcons: &mut Vcons) -> String {
    let id = site.db.put(&vcons.call());
    let (trace, span) = PRODUCER;
    let context = format!(r#"{{"trace_id":"{trace}","span_id":"{span}","trace_flags":1,"is_sampled":true}}"#);
    site.db.push(&format!("context:in:{id}"), &[&context]);
    site.db.push("in", &[&id]);
    id
}

/// The context that lies beside the egress list.
fn context_of(site: &Site, id: &str) -> Value {
    let contexts = site.db.list(&format!("context:out:{id}"));
    assert_eq!(contexts.len(), 1, "one context for one id");
    serde_json::from_str(&contexts[0]).unwrap()
}

/// Spans of one vCon by name.
fn spans_of(received: &Received, id: &str) -> BTreeMap<String, Span> {
    let of = |span: &&Span| span.attributes.get("vcon_id").is_some_and(|of| of == id);
    received.spans.iter().filter(of).map(|span| (span.name.clone(), span.clone())).collect()
}

fn with(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn traces_and_metrics_arrive(site: &Site, collector: &Collector) {
    let mut daemon = site.run(2);
    let mut vcons = Vcons::new(13);
    let ids: Vec<String> = (0..20).map(|_| push_traced(site, &mut vcons)).collect();
    site.db.push("in", &["nowhere"]);
    until("all are done", || site.db.len("out") == 20 && site.db.len("DLQ:in") == 1);
    let processed = || collector.sums("conserver.main_loop.count_vcons_processed");
    until("their number arrives", || processed() == [(with(&[("chain.name", "main")]), 20.0)].into());
    assert!(daemon.stop().success());
    let received = collector.received();
    assert_eq!(received.headers.get("x-tenant").map(String::as_str), Some("acme"));

    for id in &ids {
        let spans = spans_of(&received, id);
        let names: Vec<&str> = spans.keys().map(String::as_str).collect();
        assert_eq!(names, ["link.mark", "storage.files", "vcon_processing.main"]);
        let run = &spans["vcon_processing.main"];
        assert_eq!(run.links, [(PRODUCER.0.to_owned(), PRODUCER.1.to_owned())]);
        assert_eq!((run.parent.as_str(), run.status), ("", 1));
        assert_eq!(run.attributes["vcon.uuid"], *id);
        assert_eq!(run.attributes["chain_name"], "main");
        for step in ["link.mark", "storage.files"] {
            assert_eq!((&spans[step].parent, &spans[step].trace), (&run.id, &run.trace));
            assert_eq!(spans[step].status, 1);
        }
        assert_eq!(spans["link.mark"].attributes["link_index"], "0");
        assert_eq!(spans["storage.files"].attributes["storage_name"], "files");
        let context = context_of(site, id);
        assert_eq!(
            (&context["trace_id"], &context["span_id"]),
            (&run.trace.clone().into(), &run.id.clone().into())
        );
        assert_eq!((&context["is_sampled"], &context["trace_flags"]), (&true.into(), &1.into()));
    }
    let lost = &spans_of(&received, "nowhere")["vcon_processing.main"];
    assert_eq!(lost.status, 2);
    let resource = &lost.resource;
    assert_eq!(resource["service.name"], "vcon-server");
    assert_eq!(resource["deployment.environment.name"], "test");
    assert!(resource["service.instance.id"].contains("-pid-"), "{resource:?}");

    let outcome = with(&[("link_name", "mark"), ("outcome", "success")]);
    assert_eq!(collector.sums("conserver.link.count"), [(outcome, 20.0)].into());
    let lengths = collector.sums("conserver.ingress_list.length");
    assert!(lengths.contains_key(&with(&[("ingress_list", "in"), ("kind", "ingress")])), "{lengths:?}");
    let time = received.points.iter().find(|((_, name, _), _)| name == "conserver.storage.duration_ms");
    let ((_, _, labels), time) = time.unwrap();
    assert_eq!((time.kind, time.unit.as_str(), time.bounds[0]), ("histogram", "ms", 1.0));
    assert_eq!(*labels, with(&[("backend", "files"), ("outcome", "success")]));
    let ids_in_labels = received.points.keys().any(|(_, _, labels)| labels.values().any(|v| ids.contains(v)));
    assert!(!ids_in_labels, "an id is no label");
}

#[test]
fn a_collector_gets_metrics_and_linked_traces_over_grpc() {
    let collector = Collector::grpc();
    traces_and_metrics_arrive(&site_at(&collector.url), &collector);
}

#[test]
fn a_collector_gets_metrics_and_linked_traces_over_http() {
    let collector = Collector::http();
    let site = site_at(&collector.url).env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    traces_and_metrics_arrive(&site, &collector);
}

#[test]
fn a_worker_alone_exports_what_it_counts() {
    let collector = Collector::grpc();
    let statsd = UdpSocket::bind("127.0.0.1:0").unwrap();
    statsd.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let site = site_at(&collector.url).env("CONSERVER_STATSD", statsd.local_addr().unwrap().to_string());
    let mut worker = site.setup.start(&["worker"]);
    let id = push_traced(&site, &mut Vcons::new(18));
    until("it is done", || site.db.len("out") == 1);
    assert!(worker.stop().success());
    let processed = collector.sums("conserver.main_loop.count_vcons_processed");
    assert_eq!(processed, [(with(&[("chain.name", "main")]), 1.0)].into());
    assert_eq!(spans_of(&collector.received(), &id).len(), 3);
    let mut packet = [0; 65536];
    until("StatsD hears of it", || {
        let bytes = statsd.recv(&mut packet).unwrap();
        String::from_utf8_lossy(&packet[..bytes]).contains("conserver.main_loop.count_vcons_processed:1|c")
    });
}

/// The system's certificates, as far as the program is concerned.
fn trusting(collector: &Collector) -> Site {
    site_at(&collector.url).env("SSL_CERT_FILE", collector.authority().display().to_string())
}

#[test]
fn a_collector_gets_metrics_and_linked_traces_over_grpc_with_tls() {
    let collector = Collector::grpc_tls();
    traces_and_metrics_arrive(&trusting(&collector), &collector);
}

#[test]
fn a_collector_gets_metrics_and_linked_traces_over_https() {
    let collector = Collector::https();
    let site = trusting(&collector).env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    traces_and_metrics_arrive(&site, &collector);
}

#[test]
fn a_run_that_is_not_sampled_makes_no_span_and_says_so_to_the_next() {
    let collector = Collector::grpc();
    let site = site_at(&collector.url).env("OTEL_TRACES_SAMPLER", "always_off");
    let mut daemon = site.run(1);
    let id = push_traced(&site, &mut Vcons::new(14));
    until("it is done", || site.db.len("out") == 1);
    assert!(daemon.stop().success());
    assert!(collector.received().spans.is_empty());
    assert!(
        !collector.sums("conserver.main_loop.count_vcons_processed").is_empty(),
        "metrics arrive all the same"
    );
    let context = context_of(&site, &id);
    assert_eq!((&context["is_sampled"], &context["trace_flags"]), (&false.into(), &0.into()));
}

#[test]
fn without_a_collector_the_context_of_the_producer_goes_on() {
    let site = Site::new(CONFIG);
    let _daemon = site.run(1);
    let id = push_traced(&site, &mut Vcons::new(15));
    until("it is done", || site.db.len("out") == 1);
    assert_eq!(context_of(&site, &id)["span_id"], PRODUCER.1);
}

#[test]
fn a_collector_that_is_away_holds_up_nothing_and_is_told_once() {
    // One that refuses, and one that takes connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://127.0.0.1:{}", conserver_testkit::free_port());
    for endpoint in [closed, format!("http://{}", silent.local_addr().unwrap())] {
        let site = site_at(&endpoint).env("OTEL_EXPORTER_OTLP_TIMEOUT", "500");
        let mut daemon = site.run(2);
        let mut vcons = Vcons::new(16);
        let told = |daemon: &conserver_testkit::daemon::Daemon| {
            daemon.told("the OTLP collector does not take").len()
        };
        until("the supervisor and two workers tell", || told(&daemon) == 3);
        (0..50).for_each(|_| drop(push_traced(&site, &mut vcons)));
        until("all are done", || site.db.len("out") == 50);
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(told(&daemon), 3, "told once by each process");
        assert!(daemon.stop().success());
    }
}

#[test]
fn an_unusable_protocol_or_endpoint_is_a_mistake_of_the_configuration() {
    let site = site_at("http://localhost:4317").env("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon");
    let (code, _, said) = site.command(&["run"]);
    assert_eq!(code, 78);
    assert!(said.contains("OTEL_EXPORTER_OTLP_PROTOCOL") && said.contains("http/protobuf"), "{said}");

    let site = site_at("localhost:4318").env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    let (code, _, said) = site.command(&["run"]);
    assert_eq!(code, 78);
    assert!(said.contains("OTEL_EXPORTER_OTLP_ENDPOINT") && said.contains("http://localhost:4318"), "{said}");
}

#[test]
fn statsd_gets_what_is_added_with_labels_as_tags() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let site = Site::new(&format!("{CONFIG}\nstatsd: {}\n", server.local_addr().unwrap()));
    let mut daemon = site.run(2);
    let mut vcons = Vcons::new(17);
    let (mut processed, mut times, mut workers) = (0, 0, 0.0);
    let mut take = || {
        let mut packet = [0; 65536];
        while let Ok(bytes) = server.recv(&mut packet) {
            assert!(bytes <= 1432, "{bytes} bytes do not fit a packet");
            for line in std::str::from_utf8(&packet[..bytes]).unwrap().lines() {
                let (name, rest) = line.split_once(':').unwrap();
                let value = rest.split('|').next().unwrap();
                match name {
                    "conserver.main_loop.count_vcons_processed" => {
                        assert!(rest.ends_with("|c|#chain.name:main"), "{line}");
                        processed += value.parse::<u64>().unwrap();
                    }
                    "conserver.main_loop.vcon_processing_time.count" => {
                        times += value.parse::<u64>().unwrap()
                    }
                    "conserver.workers.running" => workers = value.parse::<f64>().unwrap(),
                    _ => {}
                }
            }
        }
        (processed, times, workers)
    };
    (0..30).for_each(|_| drop(push_traced(&site, &mut vcons)));
    until("the figures of both workers arrive", || take() == (30, 30, 2.0));
    (0..5).for_each(|_| drop(push_traced(&site, &mut vcons)));
    until("the others are done", || site.db.len("out") == 35);
    assert!(daemon.stop().success());
    let (processed, times, _) = take();
    assert_eq!((processed, times), (35, 35), "what was counted to the end is sent at the end");
}
