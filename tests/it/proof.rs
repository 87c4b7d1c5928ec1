//! How the promise is put to the test, whatever the vCons lie in: faults happen in a random order, spread over the work;
//! afterwards every obligation is looked for.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use conserver_testkit::daemon::Daemon;
use conserver_testkit::json::read_view;
use conserver_testkit::oracle::{Evidence, Oracle};
use conserver_testkit::vcons::vcon;
use serde_json::{Value, json};

use crate::site::within;

/// No progress for so long means that something is lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where it happens. The last list is `out`.
pub(crate) trait Field {
    /// The program.
    fn daemon(&self) -> &Daemon;
    /// What is owed.
    fn oracle(&self) -> &Mutex<Oracle>;
    /// What came out.
    fn out(&self) -> Vec<String>;
    /// How many came out.
    fn passed(&self) -> usize;
    /// Whether no worker holds anything.
    fn is_idle(&self) -> bool;
    /// Everything that lies anywhere.
    fn evidence(&self) -> Evidence;
    /// What is broken in the place itself.
    fn damage(&self) -> Vec<String> {
        Vec::new()
    }
    /// Afterwards everything works as before.
    fn fresh_vcon_passes(&self);

    /// Waits until every id is out, or nothing moves any more.
    fn wait_for_all(&self) {
        let mut progress = (0, Instant::now());
        loop {
            let out = self.out();
            if self.oracle().lock().unwrap().missing(&out) == 0 && self.is_idle() {
                return;
            }
            if out.len() > progress.0 {
                progress = (out.len(), Instant::now());
            }
            if progress.1.elapsed() > PATIENCE {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// How many ids were handed out again, as the program's own log has it.
    fn redelivered(&self) -> u64 {
        let messages = ["recovered what it held", "recovered a worker", "took up ids whose claim was lost"];
        let told = messages.iter().flat_map(|message| self.daemon().told(message));
        told.filter_map(|event| event["vcons"].as_u64()).sum()
    }

    /// What is wrong.
    fn judge(&self) -> Vec<String> {
        let mut wrong = self.oracle().lock().unwrap().judge(&self.evidence());
        let errors = self.daemon().events().into_iter().filter(|event| event["level"] == "ERROR");
        wrong.extend(errors.map(|event| format!("told as an error: {event}")));
        wrong.extend(self.damage());
        wrong
    }
}

/// Lets the faults happen while a producer owes so many vCons, and asserts that the promise was kept. `produce` starts
/// the producer, with a seed, and answers what ends it.
pub(crate) fn holds<F: Field, Fault: Copy, Finish: FnOnce()>(
    mut field: F,
    vcons: usize,
    mut faults: Vec<Fault>,
    produce: impl FnOnce(&F, u64) -> Finish,
    suffer: impl Fn(&mut F, Fault),
) {
    let seed = std::env::var("CONSERVER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}: {vcons} vCons, {} faults (CONSERVER_SEED={seed} repeats it)", faults.len());
    fastrand::Rng::with_seed(seed).shuffle(&mut faults);

    let start = Instant::now();
    let finish = produce(&field, seed);
    for (n, fault) in faults.iter().enumerate() {
        // Spread over the work, so that each fault meets some.
        let due = vcons * (n + 1) / (faults.len() + 1);
        within(Duration::from_secs(120), "the work goes on", || field.passed() >= due);
        suffer(&mut field, *fault);
    }
    finish();
    field.wait_for_all();
    let (owed, redelivered) = (field.oracle().lock().unwrap().count(), field.redelivered());
    println!("{owed} owed, {redelivered} redelivered, {:?} in all", start.elapsed());

    let wrong = field.judge();
    assert!(
        wrong.is_empty(),
        "{} broken promises:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    assert!(redelivered >= 100, "only {redelivered} were redelivered: the faults met too little work");
    field.fresh_vcon_passes();
}

/// The document that has to come out for this one: both chains tag it.
pub(crate) fn expected(document: &Value) -> Value {
    let mut document = document.clone();
    let tags = document["attachments"][0]["body"].as_array_mut().expect("a generated call has tags");
    tags.extend([json!("first:1"), json!("second:2")]);
    read_view(&vcon(&document))
}

/// The call that is pushed last.
pub(crate) fn fresh(mut call: Value) -> Value {
    call["uuid"] = json!("019b8d71-ffff-8000-8caa-f24ab1a0c334");
    call
}
