//! Every bound of the service and of its listener.

use legation::{Bounds, Limits, Per, Quota, Quotas, Rate};
use legation_core::gate;

use crate::config::form::{
    buffer, bytes, choice, count, count_from_none, frame, text, time, time_from_none,
    time_in_seconds, window,
};
use crate::config::setting::{
    Group, Row, each, group, leaf, leaves, maybe, named, required, row, unset,
};

/// What rules may tell apart: the operations by their scopes.
const OPERATIONS: [(&str, &str); 4] = [
    (gate::SEND, gate::SEND),
    (gate::READ, gate::READ),
    (gate::CANCEL, gate::CANCEL),
    (gate::PUSH, gate::PUSH),
];

impl Group for Rate {
    const ROWS: &'static [Row<Self>] = &[
        row(
            "per",
            "Whom the rule tells apart: every caller that a scheme knows, every tenant, every agent, or nobody",
            |r| leaf(&mut r.per, choice(&Per::NAMES)),
        ),
        unset(
            "all",
            row("operations", "The operations it is for, by their scopes", |r| {
                leaves(&mut r.operations, choice(&OPERATIONS))
            }),
        ),
        unset(
            "all",
            row("agents", "The agents it is for, by their names in addresses", |r| {
                leaves(&mut r.agents, text())
            }),
        ),
        required(row("count", "So often", |r| leaf(&mut r.count, count()))),
        row("within", "In this time", |r| leaf(&mut r.within, time())),
        unset(
            "as `count`",
            row("burst", "So often at once, after a while without", |r| {
                maybe(&mut r.burst, count())
            }),
        ),
    ];
}

/// The rows of a quota, which is at this place of something.
macro_rules! quota_rows {
    ($unset:literal, |$of:ident| $quota:expr $(, $row:expr)*) => {
        &[
            unset(
                $unset,
                row("tasks_per_day", "Tasks that a tenant begins in a day, which begins at midnight UTC", |$of| {
                    maybe(&mut $quota.tasks_per_day, count())
                }),
            ),
            unset(
                $unset,
                row(
                    "stored_bytes",
                    "Size of what a tenant has stored: the logs of its tasks, and answers that are kept for repetitions",
                    |$of| maybe(&mut $quota.stored_bytes, bytes()),
                ),
            ),
            unset(
                $unset,
                row("caller_tasks_per_day", "The same for each caller that a scheme knows", |$of| {
                    maybe(&mut $quota.caller_tasks_per_day, count())
                }),
            ),
            unset(
                $unset,
                row("caller_stored_bytes", "Likewise", |$of| {
                    maybe(&mut $quota.caller_stored_bytes, bytes())
                }),
            ),
            $($row,)*
        ]
    };
}

impl Group for Quota {
    const ROWS: &'static [Row<Self>] = quota_rows!["as for all", |q| q];
}

impl Group for Quotas {
    const ROWS: &'static [Row<Self>] = quota_rows![
        "no bound",
        |q| q.all,
        row("tenants", "Tenants that have others, by name", |q| named(&mut q.tenants, group))
    ];
}

impl Group for Limits {
    const ROWS: &'static [Row<Self>] = &[
        row("parts", "Parts in one message or artifact update", |l| leaf(&mut l.parts, count())),
        row("references", "Tasks that one message refers to", |l| {
            leaf(&mut l.references, count_from_none())
        }),
        row("schema_bytes", "Size of a schema that answers shall satisfy", |l| {
            leaf(&mut l.schema_bytes, bytes())
        }),
        row("history", "Messages in a task's history", |l| leaf(&mut l.history, count())),
        row("artifacts", "Artifacts of a task", |l| leaf(&mut l.artifacts, count())),
        row("events", "Events in a task's log", |l| leaf(&mut l.events, count())),
        row("task_bytes", "Size of a task's log", |l| leaf(&mut l.task_bytes, bytes())),
        row(
            "runs",
            "Runs at work at once; a message that would begin one more is refused for a while",
            |l| leaf(&mut l.runs, count()),
        ),
        unset(
            "as many as there may be in all",
            row(
                "runs_per_caller",
                "Runs of one caller at work at once; a message that would begin one more is refused for a while",
                |l| maybe(&mut l.runs_per_caller, count()),
            ),
        ),
        unset(
            "as many as there may be in all",
            row("runs_per_tenant", "Runs of one tenant at work at once, likewise", |l| {
                maybe(&mut l.runs_per_tenant, count())
            }),
        ),
        unset(
            "1000 in 1s, 2000 at once, for each caller",
            row(
                "rates",
                "How often may be called: rules, all of which count. `[]` is no rule at all",
                |l| each(&mut l.rates),
            ),
        ),
        row("quotas", "How much may be stored; it is counted in the database", |l| {
            group(&mut l.quotas)
        }),
        row(
            "queued",
            "Runs that wait for an agent which works on a bounded number at once, before more are refused for a while",
            |l| leaf(&mut l.queued, count_from_none()),
        ),
        row("authorizations", "Tasks that wait for an authorization at once", |l| {
            leaf(&mut l.authorizations, count_from_none())
        }),
        row("authorization_wait", "For how long an authorization is waited for", |l| {
            leaf(&mut l.authorization_wait, time())
        }),
        row(
            "backlog_bytes",
            "Size of events on their way to the store, over all tasks, before new work is refused",
            |l| leaf(&mut l.backlog_bytes, bytes()),
        ),
        row("run_time", "How long one run may take", |l| leaf(&mut l.run_time, time())),
        row(
            "blocking_wait",
            "How long a blocking send waits before it answers with the task as it is",
            |l| leaf(&mut l.blocking_wait, time()),
        ),
        row(
            "window_events",
            "Events of one run on their way to the store before the agent has to wait",
            |l| leaf(&mut l.window_events, count()),
        ),
        row(
            "window_bytes",
            "Size of events of one run on their way to the store before the agent has to wait",
            |l| leaf(&mut l.window_bytes, bytes()),
        ),
        row("ring_bytes", "Size of recent events that a live task keeps for its readers", |l| {
            leaf(&mut l.ring_bytes, bytes())
        }),
        row("streams", "Streams open at once", |l| leaf(&mut l.streams, count())),
        row(
            "recheck",
            "How often it is asked whether the credentials of an open stream were taken back",
            |l| leaf(&mut l.recheck, time()),
        ),
        row(
            "attempts",
            "How often a run that was lost is begun again before its task fails",
            |l| leaf(&mut l.attempts, count_from_none()),
        ),
        row(
            "stop_grace",
            "How long a run may go on after its task was cancelled or the server began to stop",
            |l| leaf(&mut l.stop_grace, time_from_none()),
        ),
    ];
}

impl Group for Bounds {
    const ROWS: &'static [Row<Self>] = &[
        row("connections", "Connections open at once; more wait", |b| {
            leaf(&mut b.connections, count())
        }),
        row(
            "connections_per_address",
            "Connections open at once from one address, or one network of 64 bits in IPv6; more are closed",
            |b| leaf(&mut b.connections_per_address, count()),
        ),
        row("first_byte", "How long a new connection may stay silent", |b| {
            leaf(&mut b.first_byte, time())
        }),
        row("handshake", "How long the handshake of TLS may take after the first byte", |b| {
            leaf(&mut b.handshake, time())
        }),
        row("header", "How long the head of a request may take, and the preface of HTTP/2", |b| {
            leaf(&mut b.header, time())
        }),
        row("idle", "How long a connection may stay open between requests", |b| {
            leaf(&mut b.idle, time())
        }),
        row("headers", "Header lines of a request", |b| leaf(&mut b.headers, count())),
        row("buffer", "Size of a request's head, and of the buffers of a connection", |b| {
            leaf(&mut b.buffer, buffer())
        }),
        row("extensions", "Extensions that a request may name", |b| {
            leaf(&mut b.extensions, count_from_none())
        }),
        row("idempotency_key", "Size of an idempotency key, 2400 bytes at most", |b| {
            leaf(&mut b.idempotency_key, bytes())
        }),
        row("body", "Size of a request body", |b| leaf(&mut b.body, bytes())),
        row("bodies", "Size of all request bodies that arrive in pieces at once", |b| {
            leaf(&mut b.bodies, bytes())
        }),
        row(
            "body_pieces",
            "Pieces of a request body that may be tiny, below 64 bytes on the average",
            |b| leaf(&mut b.body_pieces, count()),
        ),
        row(
            "body_grace",
            "How long a request body may take, beside the time that its bytes are given",
            |b| leaf(&mut b.body_grace, time_from_none()),
        ),
        row("body_rate", "Bytes a second that a request body has to arrive with", |b| {
            leaf(&mut b.body_rate, bytes())
        }),
        row("json_depth", "How deep the JSON of a request may nest", |b| {
            leaf(&mut b.json.depth, count())
        }),
        row("json_items", "Members and elements in the JSON of a request", |b| {
            leaf(&mut b.json.items, count())
        }),
        row(
            "write_stall",
            "How long a response may wait for a reader that takes nothing of it",
            |b| leaf(&mut b.write_stall, time()),
        ),
        row("heartbeat", "How long a stream is silent before a heartbeat goes out", |b| {
            leaf(&mut b.heartbeat, time())
        }),
        row("h2_streams", "Requests at once on one HTTP/2 connection", |b| {
            leaf(&mut b.h2_streams, count())
        }),
        row("h2_header_list", "Size of the header list of an HTTP/2 request", |b| {
            leaf(&mut b.h2_header_list, bytes())
        }),
        row("h2_frame", "Size of the payload of an HTTP/2 frame that a peer may send", |b| {
            leaf(&mut b.h2_frame, frame())
        }),
        row("h2_stream_window", "Size of a request body on HTTP/2 that is taken ahead", |b| {
            leaf(&mut b.h2_stream_window, window())
        }),
        row(
            "h2_window",
            "Size of all request bodies of an HTTP/2 connection that are taken ahead",
            |b| leaf(&mut b.h2_window, window()),
        ),
        row("h2_send_buffer", "Size of a response on HTTP/2 that waits for the connection", |b| {
            leaf(&mut b.h2_send_buffer, bytes())
        }),
        row(
            "h2_pending_resets",
            "Requests of an HTTP/2 connection that were reset before the server came to them; one more ends it",
            |b| leaf(&mut b.h2_pending_resets, count()),
        ),
        row(
            "h2_errors",
            "Requests that an HTTP/2 connection may lose by faults of its peer; one more ends it",
            |b| leaf(&mut b.h2_errors, count()),
        ),
        row(
            "h2_control_frames",
            "Frames of an HTTP/2 peer in a minute that carry nothing, such as pings, beyond those that come with reading responses; one more ends the connection",
            |b| leaf(&mut b.h2_control_frames, count()),
        ),
        row("h2_ping", "How often a silent HTTP/2 peer is asked whether it is there", |b| {
            leaf(&mut b.h2_ping, time())
        }),
        row("h2_ping_timeout", "How long it may take to say so", |b| {
            leaf(&mut b.h2_ping_timeout, time())
        }),
        row("grpc_answer", "Size of a message to a caller of gRPC, before it is compressed", |b| {
            leaf(&mut b.grpc_answer, bytes())
        }),
        row("grpc_question", "Size of a request to gRPC's health or to its reflection", |b| {
            leaf(&mut b.grpc_question, bytes())
        }),
        row(
            "grpc_watchers",
            "Streams of gRPC's health, and of its reflection, open at once",
            |b| leaf(&mut b.grpc_watchers, count()),
        ),
        row(
            "proxied_cards",
            "Cards that are kept for addresses which proxies told; beyond it they are made anew",
            |b| leaf(&mut b.proxied_cards, count()),
        ),
        row(
            "extended_cards",
            "Extended cards that are kept, by what their readers may use; beyond it they are made anew",
            |b| leaf(&mut b.extended_cards, count()),
        ),
        row(
            "tcp_keepalive",
            "After what silence the system asks a peer whether it is there",
            |b| leaf(&mut b.tcp_keepalive, time_in_seconds()),
        ),
        row(
            "tcp_unacknowledged",
            "How long a peer may leave what it was sent unacknowledged before the system ends the connection (Linux); counts as `write_stall` where that is longer",
            |b| leaf(&mut b.tcp_unacknowledged, time()),
        ),
        row(
            "accept_pause",
            "How long to wait after connections could not be accepted, such as for want of file descriptors",
            |b| leaf(&mut b.accept_pause, time()),
        ),
        row("drain", "How long connections may go on after the server began to stop", |b| {
            leaf(&mut b.drain, time_from_none())
        }),
    ];
}
