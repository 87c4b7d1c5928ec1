//! Spans: `vcon_processing.<chain>` around a run, in it `link.<name>` and `storage.<name>`.
//!
//! A run is a trace of its own, linked to the span of whoever produced the vCon, whose context lies beside the list; its
//! own context goes on with the id to the egress lists. Without a tracer nothing of this costs anything; with one, the
//! sampler decides first, and a run that it leaves out makes no further spans.

use std::borrow::Cow;
use std::sync::OnceLock;

use conserver_vcon::VconId;
use opentelemetry::global::{BoxedSpan, BoxedTracer};
use opentelemetry::trace::{
    Link, Span, SpanBuilder, SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use serde::{Deserialize, Serialize};

use crate::queue::Lease;
use crate::{ChainName, Error, LinkName, StorageName};

static TRACER: OnceLock<BoxedTracer> = OnceLock::new();

/// Makes spans with this tracer from now on, in this process.
pub fn start(tracer: BoxedTracer) {
    // A process has one; a second changes nothing.
    let _ = TRACER.set(tracer);
}

/// The trace of one run; nothing without a tracer.
pub(crate) struct RunTrace<'a>(Option<Traced<'a>>);

struct Traced<'a> {
    tracer: &'static BoxedTracer,
    /// With the run's span.
    context: Context,
    chain: &'a ChainName,
}

/// One step of a run; nothing where the run is not recorded. It ends when it is dropped, too.
pub(crate) struct Step(Option<BoxedSpan>);

/// A trace context as it lies beside lists, in the Python server's form.
#[derive(Serialize, Deserialize)]
struct Beside<'a> {
    #[serde(borrow)]
    trace_id: Cow<'a, str>,
    #[serde(borrow)]
    span_id: Cow<'a, str>,
    #[serde(default)]
    trace_flags: u8,
    #[serde(default)]
    is_sampled: bool,
}

impl<'a> RunTrace<'a> {
    /// Begins the trace of a run.
    pub(crate) fn begin(chain: &'a ChainName, lease: &Lease) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let mut builder = SpanBuilder::from_name(format!("vcon_processing.{chain}"));
        builder.links =
            lease.context.as_deref().and_then(read).map(|producer| vec![Link::with_context(producer)]);
        let mut span = builder.start_with_context(tracer, &Context::new());
        if span.is_recording() {
            let id = lease.entry.id.as_str().to_owned();
            span.set_attributes([
                KeyValue::new("vcon_id", id.clone()),
                KeyValue::new("vcon.uuid", id),
                KeyValue::new("chain_name", chain.as_str().to_owned()),
                KeyValue::new("ingress_list", lease.entry.list.as_str().to_owned()),
                KeyValue::new("attempt", i64::from(lease.tries.attempt)),
            ]);
        }
        Self(Some(Traced { tracer, context: Context::new().with_span(span), chain }))
    }

    /// Begins the step of a link.
    pub(crate) fn link(&self, link: &LinkName, index: usize, id: &VconId) -> Step {
        self.step(id, || {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            let name = KeyValue::new("link_name", link.as_str().to_owned());
            (format!("link.{link}"), vec![name, KeyValue::new("link_index", index)])
        })
    }

    /// Begins the step of a storage.
    pub(crate) fn storage(&self, storage: &StorageName, id: &VconId) -> Step {
        self.step(id, || {
            let name = KeyValue::new("storage_name", storage.as_str().to_owned());
            (format!("storage.{storage}"), vec![name])
        })
    }

    fn step(&self, id: &VconId, about: impl FnOnce() -> (String, Vec<KeyValue>)) -> Step {
        let Some(traced) = self.0.as_ref().filter(|traced| traced.context.span().is_recording()) else {
            return Step(None);
        };
        let (name, mut attributes) = about();
        attributes.push(KeyValue::new("vcon_id", id.as_str().to_owned()));
        attributes.push(KeyValue::new("chain_name", traced.chain.as_str().to_owned()));
        let builder = SpanBuilder::from_name(name).with_attributes(attributes);
        Step(Some(builder.start_with_context(traced.tracer, &traced.context)))
    }

    /// The context that goes on with the id; `None` without a tracer.
    pub(crate) fn context(&self) -> Option<String> {
        let traced = self.0.as_ref()?;
        let span = traced.context.span();
        let context = span.span_context();
        let beside = Beside {
            trace_id: context.trace_id().to_string().into(),
            span_id: context.span_id().to_string().into(),
            trace_flags: context.trace_flags().to_u8(),
            is_sampled: context.is_sampled(),
        };
        serde_json::to_string(&beside).ok().filter(|_| context.is_valid())
    }

    /// Ends it, well or with this error.
    pub(crate) fn end(&self, error: Option<&Error>) {
        let Some(traced) = &self.0 else { return };
        let span = traced.context.span();
        match error {
            None => span.set_status(Status::Ok),
            Some(error) if span.is_recording() => span.set_status(Status::error(error.chain())),
            Some(_) => {}
        }
        span.end();
    }
}

impl Step {
    /// Ends it, well or with this error.
    pub(crate) fn end(self, error: Option<&Error>) {
        let Some(mut span) = self.0 else { return };
        match error {
            None => span.set_status(Status::Ok),
            Some(error) => {
                let chain = error.chain();
                let kind = KeyValue::new("exception.type", error.kind().as_str());
                let message = KeyValue::new("exception.message", chain.clone());
                span.add_event("exception", vec![kind, message]);
                span.set_status(Status::error(chain));
            }
        }
        span.end();
    }
}

/// Reads a context that another program wrote, which may be anything.
fn read(text: &str) -> Option<SpanContext> {
    let beside: Beside<'_> = serde_json::from_str(text).ok()?;
    let is_hex = |id: &str, digits| id.len() == digits && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex(&beside.trace_id, 32) || !is_hex(&beside.span_id, 16) {
        return None;
    }
    let trace_id = TraceId::from_hex(&beside.trace_id).ok()?;
    let span_id = SpanId::from_hex(&beside.span_id).ok()?;
    let flags =
        TraceFlags::new(beside.trace_flags).with_sampled(beside.is_sampled || beside.trace_flags & 1 == 1);
    Some(SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE)).filter(SpanContext::is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_of_the_python_server_are_read_and_others_are_none() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let text =
            format!(r#"{{"trace_id":"{trace}","span_id":"{span}","trace_flags":1,"is_sampled":true}}"#);
        let context = read(&text).unwrap();
        assert_eq!(
            (context.trace_id().to_string(), context.span_id().to_string()),
            (trace.into(), span.into())
        );
        assert!(context.is_sampled() && context.is_remote());
        let zero = "0".repeat(32);
        for bad in [
            "",
            "{}",
            "[1]",
            r#"{"trace_id":"0af7","span_id":"b7"}"#,
            r#"{"trace_id":7,"span_id":8}"#,
            &format!(r#"{{"trace_id":"{zero}","span_id":"{span}"}}"#),
            &format!(r#"{{"trace_id":"+{}","span_id":"{span}"}}"#, &trace[1..]),
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
