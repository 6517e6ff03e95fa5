//! A span that is being recorded, where its trace is kept; else only its ids.
//!
//! The names and the attributes are those of gRFC A72: `Sent` for a call, `Attempt` for each of its tries, `Recv`
//! where it arrives.

use http::HeaderMap;
use opentelemetry::trace::TraceContextExt;
use tonic::Code;
use tracing::field::Empty;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::follow::{Followed, Here};
use super::{Head, Trace};
use crate::metrics::status_name;
use crate::policy::Method;

/// A span until it is dropped, with where it is.
#[derive(Debug)]
pub struct Recording {
    at: Trace,
    span: Span,
}

impl Recording {
    /// Nothing, in no trace.
    pub(crate) const NONE: Self = Self { at: Trace::NONE, span: Span::none() };

    /// Work that nobody asked for; it begins a trace.
    #[must_use]
    pub fn begun(name: &'static str) -> Self {
        Self::begin(
            Trace::NONE,
            || info_span!(parent: None, "work", otel.name = name, grpc.status = Empty),
        )
    }

    /// Work that a task or an event began, in the trace of what wrote it.
    #[must_use]
    pub fn continued(name: &'static str, kind: &str, parent: Trace) -> Self {
        Self::begin(parent, || {
            info_span!(
                parent: None,
                "work",
                otel.name = %format_args!("{name} {kind}"),
                otel.kind = "consumer",
                grpc.status = Empty,
                otel.status_code = Empty,
            )
        })
    }

    /// A call that arrives: a child of what its caller says.
    pub(crate) fn recv(method: &Method, near: Option<Trace>, headers: &HeaderMap) -> Self {
        let parent = near.unwrap_or_else(|| Trace::told(headers));
        Self::begin(parent, || {
            info_span!(
                parent: None,
                "recv",
                otel.name = %format_args!("Recv.{}", dotted(&method.path)),
                otel.kind = "server",
                rpc.system = "grpc",
                rpc.service = method.service.as_str(),
                rpc.method = method.name(),
                rpc.request.size = Empty,
                rpc.response.size = Empty,
                grpc.status = Empty,
                otel.status_code = Empty,
                caller = Empty,
            )
        })
    }

    /// A call of a program, with all that it takes: a token, and however many calls to the mesh.
    #[must_use]
    pub fn called(path: &str, parent: Trace) -> Self {
        if parent.is_none() && Head::of_this_process().is_none() {
            return Self::NONE;
        }
        Self::begin(parent, || {
            info_span!(
                parent: None,
                "call",
                otel.name = %format_args!("Call.{}", dotted(path)),
                otel.kind = "client",
                grpc.status = Empty,
                otel.status_code = Empty,
            )
        })
    }

    /// A call to another process. Where no spans are kept, a call that is in no trace begins none: who answers it
    /// may keep spans, and decides.
    pub(crate) fn sent(path: &str, target: &str, parent: Trace) -> Self {
        if parent.is_none() && Head::of_this_process().is_none() {
            return Self::NONE;
        }
        Self::begin(parent, || {
            let (service, method) =
                path.trim_start_matches('/').split_once('/').unwrap_or_default();
            info_span!(
                parent: None,
                "sent",
                otel.name = %format_args!("Sent.{}", dotted(path)),
                otel.kind = "client",
                rpc.system = "grpc",
                rpc.service = service,
                rpc.method = method,
                grpc.target = target,
                grpc.status = Empty,
                otel.status_code = Empty,
            )
        })
    }

    /// The same for a call whose parent stands in its headers.
    pub(crate) fn sent_for(path: &str, target: &str, headers: &HeaderMap) -> Self {
        Self::sent(path, target, Trace::told(headers))
    }

    /// A try of this call. Where the call is not kept, a try has no id of its own.
    pub(crate) fn attempt(&self, path: &str, tries_before: u32, is_transparent: bool) -> Self {
        if self.span.is_none() {
            return Self { at: self.at, span: Span::none() };
        }
        Self::begin(self.at, || {
            info_span!(
                parent: None,
                "attempt",
                otel.name = %format_args!("Attempt.{}", dotted(path)),
                otel.kind = "client",
                "previous-rpc-attempts" = tries_before,
                "transparent-retry" = is_transparent,
                server.address = Empty,
                rpc.request.size = Empty,
                rpc.response.size = Empty,
                grpc.status = Empty,
                otel.status_code = Empty,
            )
        })
    }

    fn begin(parent: Trace, span: impl FnOnce() -> Span) -> Self {
        let head = if parent.is_none() { Head::of_this_process() } else { None };
        let is_kept = parent.is_kept() || head.is_some_and(Head::keeps);
        if !is_kept {
            let at =
                if parent.is_none() { Trace::begin(false) } else { parent.child(parent.flags) };
            return Self { at, span: Span::none() };
        }
        let span = span();
        if !parent.is_none() {
            let context = opentelemetry::Context::new();
            // The parent is set before anything else is asked of a span, or it has a trace of its own. That fails
            // only where no spans are kept, and then there is nothing to set.
            let _ = span.set_parent(context.with_remote_span_context(parent.context()));
        }
        let at = Trace::from(&span);
        // Where no spans are kept, the caller's is the parent of what follows.
        Self { at: if at.is_none() { parent } else { at }, span }
    }

    /// Where it is.
    #[must_use]
    pub fn at(&self) -> Trace {
        self.at
    }

    /// Whether there is a span to write to.
    pub(crate) fn is_kept(&self) -> bool {
        !self.span.is_none()
    }

    /// Work of this span.
    pub fn follow<F: Future>(&self, work: F) -> Followed<F> {
        Followed::new(work, self.at, self.span.clone())
    }

    /// The same for work that waits for nothing.
    pub(crate) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.span.enter();
        let _here = Here::enter(self.at);
        work()
    }

    /// Names another span that this one has to do with.
    pub fn link(&self, to: Trace) {
        if self.is_kept() && !to.is_none() {
            self.span.add_link(to.context());
        }
    }

    /// Says who calls.
    pub(crate) fn caller(&self, actor: &str) {
        self.span.record("caller", actor);
    }

    /// Says where a try went.
    pub(crate) fn went_to(&self, address: &impl std::fmt::Display) {
        if self.is_kept() {
            self.span.record("server.address", tracing::field::display(address));
        }
    }

    /// What the call came to, with how many bytes of messages were taken and given.
    pub(crate) fn end(&self, code: Code, request: u64, response: u64) {
        if self.is_kept() {
            self.span.record("rpc.request.size", request);
            self.span.record("rpc.response.size", response);
            self.status(code);
        }
    }

    /// What the call came to.
    pub fn status(&self, code: Code) {
        self.span.record("grpc.status", status_name(code));
        if code != Code::Ok {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

/// `service.method`, as the spans of gRPC have it.
fn dotted(path: &str) -> String {
    path.trim_start_matches('/').replace('/', ".")
}
