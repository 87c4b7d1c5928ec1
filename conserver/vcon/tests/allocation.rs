//! How much memory tagging takes beyond its output.
//!
//! Counts every allocation of this process, so this file holds one test only.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use conserver_vcon::{BodyShape, Limits, Vcon, View};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "counting allocations needs a global allocator, which is an unsafe trait")]
// SAFETY: every call is handed to the system allocator unchanged; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), SeqCst) + layout.size();
        PEAK.fetch_max(held, SeqCst);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), SeqCst);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most memory that `work` held at once beyond what was held before.
fn peak_of(work: impl FnOnce()) -> usize {
    let before = HELD.load(SeqCst);
    PEAK.store(before, SeqCst);
    work();
    PEAK.load(SeqCst) - before
}

/// A call with `bytes` of inline audio under legacy names, in dialog and in an attachment.
fn recording(bytes: usize) -> bytes::Bytes {
    let audio = "QUJDREVG".repeat(bytes / 16);
    let json = format!(
        r#"{{"uuid":"u","vcon":"0.0.1","group":[],"appended":null,"must_support":[],
        "dialog":[{{"type":"recording","mimetype":"audio/wav","body":"{audio}","encoding":"base64","alg":"x"}}],
        "analysis":[{{"type":"a","schema_version":"1","body":{{"k":[1]}},"encoding":"none"}}],
        "attachments":[{{"type":"tags","body":["x:y"]}},{{"type":"voicemail","mimetype":"audio/wav","body":"{audio}"}}]}}"#
    );
    json.into()
}

#[test]
fn tagging_eight_megabytes_of_audio_takes_kilobytes() {
    let json = recording(8 << 20);
    for view in [View::Stored, View::Read, View::Write(BodyShape::Native), View::Write(BodyShape::Text)] {
        let mut out = Vec::with_capacity(json.len() + 4096);
        let peak = peak_of(|| {
            let mut vcon = Vcon::from_json(json.clone(), &Limits::default()).unwrap();
            assert!(vcon.add_tag("a", "b", BodyShape::Native).unwrap());
            vcon.render_into(view, &mut out);
        });
        println!("{view:?}: {peak} bytes beside an output of {}", out.len());
        assert!(out.len() > 8 << 20);
        assert!(peak < 16 << 10, "{view:?} held {peak} bytes");
    }

    // The legacy view needs room at the tail of the output to judge text bodies, and no more.
    let mut out = Vec::with_capacity(json.len() + 4096);
    let vcon = Vcon::from_json(json.clone(), &Limits::default()).unwrap();
    let peak = peak_of(|| vcon.render_into(View::Legacy001, &mut out));
    assert!(peak < 16 << 10, "the legacy view held {peak} bytes");

    // The counter does count: a copy of the document shows.
    let copied = peak_of(|| drop(json.to_vec()));
    assert!(copied >= json.len());
}
