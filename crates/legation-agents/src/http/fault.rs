//! Why an endpoint gave no answer: what the log keeps, and what the caller of the agent reads.

use std::time::Duration;

use ::http::StatusCode;
use legation_core::AgentError;
use legation_net::Error;

/// What the log keeps of a body, in characters.
const EXCERPT: usize = 500;

/// No answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The call failed.
    #[error("the call failed")]
    Net(#[from] Error),
    /// The answer says that there is none.
    #[error("HTTP status {status}")]
    Status { status: StatusCode, pause: Option<Duration>, body: String },
    /// The answer cannot be read; the text says what of it.
    #[error("{0}")]
    Unreadable(String),
    /// The answer itself says what went wrong, in words for the caller.
    #[error("{0}")]
    Told(String),
    /// The answer took longer than this.
    #[error("no whole answer within {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// The task takes no more events, or its answer is not what was asked for.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

impl Fault {
    /// Whether it is certain that the question was not worked on.
    pub(super) fn may_be_asked_again(&self) -> bool {
        match self {
            Self::Net(Error::Connect { .. }) => true,
            Self::Status { status, .. } => {
                matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Net(
                Error::Setup(_)
                | Error::Address(_)
                | Error::Slow(_)
                | Error::Broken(_)
                | Error::TooLarge(_),
            )
            | Self::Unreadable(_)
            | Self::Told(_)
            | Self::Slow(_)
            | Self::Agent(_) => false,
        }
    }

    /// How long the other side wants to be left alone.
    pub(super) fn asked_pause(&self) -> Option<Duration> {
        match self {
            Self::Status { pause, .. } => *pause,
            Self::Net(_) | Self::Unreadable(_) | Self::Told(_) | Self::Slow(_) | Self::Agent(_) => {
                None
            }
        }
    }

    /// Keeps the cause in the log, and gives what the caller may read: where the endpoint is and
    /// what it said are the operator's affair. `who` is what answers, such as "the model".
    pub(super) fn into_error(self, who: &str, place: &str) -> AgentError {
        let reason = match self {
            Self::Agent(error) => return error,
            Self::Told(text) => return AgentError::failed(text),
            Self::Net(Error::Address(_)) => {
                "cannot be called: its address is not one that this server calls".into()
            }
            Self::Net(Error::Connect { .. } | Error::Setup(_)) => "cannot be reached".into(),
            Self::Net(Error::TooLarge(most)) => {
                format!("gave an answer that is larger than {most} bytes")
            }
            Self::Net(Error::Slow(_)) => "took too long".to_owned(),
            Self::Net(Error::Broken(_)) => "broke its answer off".into(),
            Self::Slow(most) => {
                format!("gave no whole answer within {} s", most.as_secs_f32())
            }
            Self::Unreadable(ref reason) => {
                format!("gave an answer that cannot be read: {reason}")
            }
            Self::Status { status, pause, ref body } => {
                let body: String = body.chars().take(EXCERPT).collect();
                tracing::warn!(place, %status, body, "{who} answered with an error");
                said_of(status, pause)
            }
        };
        tracing::warn!(place, error = &self as &dyn std::error::Error, "{who} gave no answer");
        AgentError::failed(format!("{who} {reason}"))
    }
}

fn said_of(status: StatusCode, pause: Option<Duration>) -> String {
    let later = pause.map(|pause| format!("; try again in {} s", pause.as_secs()));
    let later = later.unwrap_or_else(|| "; try again later".into());
    match status.as_u16() {
        401 | 403 => "refuses this agent's credential".into(),
        404 => "is not at its address (HTTP status 404)".into(),
        413 => "finds the message too large".into(),
        429 => format!("is asked too much{later}"),
        503 => format!("is not available{later}"),
        300..=399 => format!("redirects (HTTP status {}), which is not followed", status.as_u16()),
        code => format!("answered with an error (HTTP status {code})"),
    }
}
