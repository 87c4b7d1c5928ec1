//! The shapes that sites have: many chains of which few are busy, a slow one beside a fast one, chains that feed chains, a
//! storage that is away. Each is held against the same chain alone in the same run; one worker, so that nothing but its own
//! waits can hold it up.

use std::fmt::Write;
use std::time::{Duration, Instant};

use conserver_core::vcon::VconId;
use conserver_testkit::redis::AppendOnly;

use super::{Bound, Promise, calls, median, promise};
use crate::folder::Folder;
use crate::instance::{Daemon, Instance};

const LIMIT: Duration = Duration::from_secs(180);
/// Of a chain beside the busy one: more than it gets done meanwhile.
const BACKLOG: usize = 20_000;
const CHAINS: usize = 20;

/// What runs beside the busy chain, or how it is spread.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Alone,
    OneBusyOfTwenty,
    TwentyBusy,
    BesideSlow,
    Feeding,
    StorageAway,
}

const SHAPES: [Shape; 5] =
    [Shape::OneBusyOfTwenty, Shape::TwentyBusy, Shape::BesideSlow, Shape::Feeding, Shape::StorageAway];

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::OneBusyOfTwenty => "1 busy of 20 chains",
            Self::TwentyBusy => "20 busy chains",
            Self::BesideSlow => "beside a chain of 50 ms",
            Self::Feeding => "a chain that feeds another",
            Self::StorageAway => "beside one whose storage is away",
        }
    }

    fn config(self, concurrency: usize) -> String {
        let mut config = format!(
            "concurrency: {concurrency}\n\
             links:\n  tagger: {{module: tag, options: {{tags: [\"a:1\", b]}}}}\n  wait: {{module: delay, options: {{seconds: 0.05}}}}\n\
             storages:\n  away: {{module: webhook, options: {{webhook-urls: [\"http://127.0.0.1:9/\"]}}}}\n\
             chains:\n"
        );
        let mut chain = |name: &str, rest: &str| {
            let _ = writeln!(config, "  {name}: {{ingress_lists: [{name}], {rest}}}");
        };
        let fast = "links: [tagger], egress_lists: [out]";
        match self {
            Self::Alone => chain("c0", fast),
            Self::OneBusyOfTwenty | Self::TwentyBusy => {
                (0..CHAINS).for_each(|n| chain(&format!("c{n}"), fast))
            }
            Self::BesideSlow => {
                chain("beside", "links: [wait], egress_lists: [late]");
                chain("c0", fast);
            }
            Self::Feeding => {
                chain("c0", "links: [tagger], egress_lists: [c1]");
                chain("c1", fast);
            }
            Self::StorageAway => {
                chain("beside", "links: [tagger], storages: [away], egress_lists: [late]");
                chain("c0", fast);
            }
        }
        config
    }

    /// Lists that get the ids of the measurement.
    fn lists(self) -> Vec<String> {
        let busy = if self == Self::TwentyBusy { CHAINS } else { 1 };
        (0..busy).map(|n| format!("c{n}")).collect()
    }

    fn backlog(self) -> usize {
        if matches!(self, Self::BesideSlow | Self::StorageAway) { BACKLOG } else { 0 }
    }

    /// Runs that one vCon of the measurement takes.
    fn runs(self) -> usize {
        if self == Self::Feeding { 2 } else { 1 }
    }
}

/// A backend with documents in it.
trait Place {
    fn daemon(&mut self, config: &str) -> anyhow::Result<Daemon>;
    fn push(&mut self, list: &str, ids: std::ops::Range<usize>) -> anyhow::Result<()>;
    fn wait_for(&mut self, list: &str, n: usize) -> anyhow::Result<()>;
}

struct OnRedis(Instance, Vec<String>);

impl Place for OnRedis {
    fn daemon(&mut self, config: &str) -> anyhow::Result<Daemon> {
        self.0.daemon(config, 1)
    }

    fn push(&mut self, list: &str, ids: std::ops::Range<usize>) -> anyhow::Result<()> {
        self.0.push(list, &self.1[ids])
    }

    fn wait_for(&mut self, list: &str, n: usize) -> anyhow::Result<()> {
        self.0.wait_for(list, n, LIMIT).map(drop)
    }
}

struct Embedded(Folder, Vec<VconId>);

impl Place for Embedded {
    fn daemon(&mut self, config: &str) -> anyhow::Result<Daemon> {
        self.0.daemon(config, 1)
    }

    fn push(&mut self, list: &str, ids: std::ops::Range<usize>) -> anyhow::Result<()> {
        self.0.push(list, &self.1[ids])
    }

    fn wait_for(&mut self, list: &str, n: usize) -> anyhow::Result<()> {
        self.0.wait_for(list, n, LIMIT)
    }
}

/// Runs per second of the busy chain or chains.
fn rate(place: &mut dyn Place, shape: Shape, concurrency: usize, vcons: usize) -> anyhow::Result<f64> {
    let daemon = place.daemon(&shape.config(concurrency))?;
    if shape.backlog() > 0 {
        place.push("beside", vcons..vcons + shape.backlog())?;
    }
    std::thread::sleep(Duration::from_millis(500));
    let lists = shape.lists();
    let share = vcons / lists.len();
    let start = Instant::now();
    for (n, list) in lists.iter().enumerate() {
        place.push(list, n * share..(n + 1) * share)?;
    }
    place.wait_for("out", share * lists.len())?;
    let took = start.elapsed();
    drop(daemon);
    Ok((share * lists.len() * shape.runs()) as f64 / took.as_secs_f64())
}

pub(crate) fn measure(rounds: usize) -> anyhow::Result<Vec<Promise>> {
    let documents = calls();
    let mut promises = Vec::new();
    for (backend, concurrency, vcons) in
        [("Redis", 64, 40_000), ("Redis", 1, 4000), ("embedded", 64, 12_000), ("embedded", 1, 1000)]
    {
        let once = |shape: Shape| -> anyhow::Result<f64> {
            let all = vcons + shape.backlog();
            let mut place: Box<dyn Place> = if backend == "Redis" {
                let mut instance = Instance::start(AppendOnly::No)?;
                let ids = instance.store(&documents, all)?;
                Box::new(OnRedis(instance, ids))
            } else {
                let folder = Folder::prepare(&documents, all)?;
                let ids = folder.ids.clone();
                Box::new(Embedded(folder, ids))
            };
            rate(&mut *place, shape, concurrency, vcons)
        };
        let what = |shape: Shape| format!("{backend}, {concurrency} in flight: {}", shape.name());
        let (mut alone, mut ratios) = (Vec::new(), vec![Vec::new(); SHAPES.len()]);
        for _ in 0..rounds {
            for (shape, ratios) in SHAPES.into_iter().zip(&mut ratios) {
                // Beside each one, so that a slow moment of the machine meets both.
                let floor = once(Shape::Alone)?;
                ratios.push(once(shape)? / floor);
                alone.push(floor);
            }
        }
        promises.push(promise(what(Shape::Alone), median(&mut alone), "runs/s", Bound::None));
        for (shape, mut ratios) in SHAPES.into_iter().zip(ratios) {
            promises.push(promise(what(shape), median(&mut ratios), "of alone", Bound::AtLeast(0.9)));
        }
    }
    Ok(promises)
}
