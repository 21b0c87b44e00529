//! Where a call belongs in a trace (W3C Trace Context): what the agent is told of it.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The place of a call in a trace, as headers say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    parent: HeaderValue,
    state: Option<HeaderValue>,
}

impl TraceContext {
    /// The place that a `traceparent` tells, with what vendors add to it in `tracestate`; `None` when
    /// that is no place of version 00, or of a later one that begins like it.
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        let mut fields = parent.split('-');
        let mut hex = |length: usize| {
            let digits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            fields.next().filter(|field| field.len() == length && field.bytes().all(digits))
        };
        let (version, trace, span, _flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        let is_nothing = |id: &str| id.bytes().all(|byte| byte == b'0');
        let is_longer = fields.next().is_some();
        if is_nothing(trace) || is_nothing(span) || version == "ff" || version == "00" && is_longer
        {
            return None;
        }
        // A state that cannot be said is left out; the place counts without it.
        let state = state.filter(|state| !state.is_empty());
        let state = state.and_then(|state| HeaderValue::from_str(state).ok());
        Some(Self { parent: HeaderValue::from_str(parent).ok()?, state })
    }
}

type Here = dyn Fn() -> Option<TraceContext> + Send + Sync;

/// Who knows the place of each call in a trace; nobody by default, and then nothing is told.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<Here>>);

impl Trace {
    /// Asks this function before each request.
    pub fn by(here: impl Fn() -> Option<TraceContext> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(here)))
    }

    /// The same place for every call: this program adds nothing to the trace.
    pub fn within(context: TraceContext) -> Self {
        Self::by(move || Some(context.clone()))
    }

    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        let Some(TraceContext { parent, state }) = self.0.as_ref().and_then(|here| here()) else {
            return;
        };
        headers.insert(TRACEPARENT, parent);
        headers.extend(state.map(|state| (TRACESTATE, state)));
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Trace(..)" } else { "Trace" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_exactly() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        const SPAN: &str = "00f067aa0ba902b7";
        let cases = [
            (format!("00-{TRACE}-{SPAN}-01"), true),
            (format!("cc-{TRACE}-{SPAN}-01"), true),
            (format!("cc-{TRACE}-{SPAN}-01-what-comes"), true),
            (format!("00-{TRACE}-{SPAN}-01-what-comes"), false),
            (format!("ff-{TRACE}-{SPAN}-01"), false),
            (format!("00-{TRACE}-{SPAN}"), false),
            (format!("00-{}-{SPAN}-01", TRACE.to_uppercase()), false),
            (format!("00-{}-{SPAN}-01", "0".repeat(32)), false),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), false),
            (format!("00-{TRACE}-{SPAN}-1"), false),
            (String::new(), false),
        ];
        for (parent, good) in cases {
            assert_eq!(TraceContext::parse(&parent, Some("a=1")).is_some(), good, "{parent}");
        }
        let parent = format!("00-{TRACE}-{SPAN}-01");
        for (state, said) in [(Some("a=1,b=2"), true), (Some("a\n"), false), (Some(""), false)] {
            let context = TraceContext::parse(&parent, state).expect("a place");
            assert_eq!(context.state.is_some(), said, "{state:?}");
        }
    }
}
