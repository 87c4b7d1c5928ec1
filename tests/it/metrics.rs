//! Figures of the whole instance, as Prometheus sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use conserver_testkit::daemon::{Daemon, Signal};
use conserver_testkit::vcons::Vcons;

use crate::health::get;
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

/// An instance whose figures can be asked for.
struct Scraped {
    site: Site,
    daemon: Daemon,
    address: String,
    vcons: Vcons,
}

impl Scraped {
    fn start(config: &str, workers: usize) -> Self {
        let site = Site::new(config);
        let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
        let daemon = site.setup.run(workers, &["--listen", &address]);
        let scraped = Self { site, daemon, address, vcons: Vcons::new(11) };
        until("there are figures", || !scraped.text().is_empty());
        scraped
    }

    fn text(&self) -> String {
        match get(&self.address, "/metrics") {
            Some((200, text)) => text,
            _ => String::new(),
        }
    }

    /// Every sample with its labels.
    fn samples(&self) -> BTreeMap<String, f64> {
        let text = self.text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').unwrap();
                (series.to_owned(), value.parse().unwrap())
            })
            .collect()
    }

    fn value(&self, series: &str) -> Option<f64> {
        self.samples().get(series).copied()
    }

    fn push(&mut self, count: usize) {
        for _ in 0..count {
            self.site.push("in", &self.vcons.call());
        }
    }

    /// Waits until a sample has this value.
    fn await_value(&self, series: &str, value: f64) {
        let mut seen = None;
        until(&format!("{series} is {value}"), || {
            seen = self.value(series);
            seen == Some(value)
        });
    }
}

const PROCESSED: &str = "conserver_main_loop_count_vcons_processed_total{chain_name=\"main\"}";
const RUNNING: &str = "conserver_workers_running{lane=\"main\"}";

/// Samples that may only grow: counters, and all that belongs to a histogram.
fn only_grow(samples: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let grows = |series: &str| {
        let name = series.split('{').next().unwrap_or_default();
        ["_total", "_bucket", "_sum", "_count"].iter().any(|ending| name.ends_with(ending))
    };
    samples.iter().filter(|(series, _)| grows(series)).map(|(s, v)| (s.clone(), *v)).collect()
}

#[track_caller]
fn assert_no_step_back(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) {
    for (series, value) in only_grow(before) {
        let now = after.get(&series).unwrap_or_else(|| panic!("{series} is gone"));
        assert!(*now >= value, "{series} went back from {value} to {now}");
    }
}

/// What `promtool check metrics` says; nothing if all is well.
fn promtool(text: &str) -> String {
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut tool = tool.expect("promtool can be executed: install the package `prometheus`");
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    format!("{}{}", if output.status.success() { "" } else { "failed: " }, String::from_utf8_lossy(&said))
}

#[test]
fn figures_of_all_workers_are_one_and_never_go_back_when_one_is_killed() {
    let mut scraped = Scraped::start(CONFIG, 2);
    scraped.await_value(RUNNING, 2.0);
    scraped.push(60);
    scraped.await_value(PROCESSED, 60.0);
    let before = scraped.samples();
    let at = |series: &str| before.get(series).copied();
    assert_eq!(at("conserver_main_loop_count_vcons_received_total{ingress_list=\"in\"}"), Some(60.0));
    assert_eq!(at("conserver_link_count_total{link_name=\"mark\",outcome=\"success\"}"), Some(60.0));
    assert_eq!(at("conserver_storage_count_total{backend=\"files\",outcome=\"success\"}"), Some(60.0));
    assert_eq!(at("conserver_main_loop_vcon_processing_time_seconds_count{chain_name=\"main\"}"), Some(60.0));
    assert_eq!(at("conserver_vcons_inflight{chain_name=\"main\"}"), Some(0.0));
    assert_eq!(promtool(&scraped.text()), "");

    // One that stands still for a moment keeps nobody from reading, and takes nothing back.
    let workers = scraped.daemon.usual_workers();
    workers[0].signal(Signal::STOP);
    assert_no_step_back(&before, &scraped.samples());
    workers[0].signal(Signal::CONT);

    workers[1].signal(Signal::KILL);
    scraped.push(40);
    let mut last = before;
    until("the others and a new one do the rest", || {
        let now = scraped.samples();
        assert_no_step_back(&last, &now);
        last = now;
        last.get(PROCESSED) == Some(&100.0) && last.get(RUNNING) == Some(&2.0)
    });
    let killed = "conserver_workers_count_ended_total{role=\"worker\",cause=\"SIGKILL\"}";
    assert_eq!(last.get(killed), Some(&1.0));
    assert_eq!(promtool(&scraped.text()), "");
}

#[test]
fn how_many_series_there_are_does_not_depend_on_what_passes() {
    let mut scraped = Scraped::start(CONFIG, 2);
    let series = |scraped: &Scraped| scraped.samples().into_keys().collect::<BTreeSet<String>>();
    // A few of each kind: done, and dead for want of a document.
    let some = |scraped: &mut Scraped, count: usize| {
        scraped.push(count);
        for n in 0..count {
            scraped.site.db.push("in", &[&format!("missing-{count}-{n}")]);
        }
    };
    some(&mut scraped, 20);
    let dead = "conserver_dlq_count_total{queue_name=\"DLQ:in\",reason=\"missing\"}";
    let length = "conserver_ingress_list_length{ingress_list=\"DLQ:in\",kind=\"dlq\"}";
    scraped.await_value(PROCESSED, 20.0);
    scraped.await_value(dead, 20.0);
    scraped.await_value(length, 20.0);
    until("Redis has been looked at", || scraped.value("conserver_redis_memory_used_bytes") > Some(1e5));
    let few = series(&scraped);

    some(&mut scraped, 400);
    scraped.await_value(PROCESSED, 420.0);
    scraped.await_value(dead, 420.0);
    assert_eq!(series(&scraped), few);
    assert!(few.len() < 300, "{} series for one chain", few.len());
    let text = scraped.text();
    assert!(!text.contains("missing-"), "an id is no label:\n{text}");
}

#[test]
fn the_api_alone_shows_how_the_lists_stand() {
    let site = Site::new(CONFIG);
    site.db.push("in", &["a", "b", "c"]);
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let _api = site.setup.start(&["api", "--listen", &address]);
    let waiting = "conserver_ingress_list_length{ingress_list=\"in\",kind=\"ingress\"} 3\n";
    until("it has looked", || get(&address, "/metrics").is_some_and(|(_, text)| text.contains(waiting)));
    let (_, text) = get(&address, "/metrics").unwrap();
    assert!(text.contains("conserver_build_info{version="), "{text}");
    assert_eq!(promtool(&text), "");
}
