//! Authorization in the middle of a task (Spec 7.6): an agent that needs somebody's consent says
//! where it is given, and works on the message once more when the answer comes. It comes to an
//! address of the server, by way of a browser, and not in a message of the task.
//!
//! What comes is for the agent alone. It is kept in memory and never stored, so a link that was
//! given out before a restart leads nowhere; a further message to the task makes a new one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use legation_model::{A2aError, ErrorKind, Json, Message, TaskState};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::live::{self, Live};
use crate::replicas::Owner;
use crate::run::{self, Job};
use crate::service::Core;
use crate::turn::Ask;
use crate::{AgentError, Limits};

/// The parameters of an authorization request that the server sets (RFC 6749 4.1.1).
const REDIRECT_URI: &str = "redirect_uri";
const STATE: &str = "state";

/// Bytes of the text by which an answer finds its task. Who has it can answer.
const STATE_BYTES: usize = 32;

/// Where somebody authorizes what an agent needs. [`Turn::authorize`](crate::Turn::authorize) asks
/// for it.
#[derive(Clone, PartialEq)]
pub struct Authorization {
    url: Url,
    kept: Option<Json>,
}

impl Authorization {
    /// The address of an authorization request (RFC 6749 4.1.1), without `redirect_uri` and
    /// `state`, which are the server's to add.
    ///
    /// # Errors
    /// When it is no address of HTTP, or has one of these two.
    pub fn at(url: &str) -> Result<Self, AgentError> {
        let bad = |why| AgentError::failed(format!("cannot ask for authorization: {why}"));
        let url = Url::parse(url).map_err(|_| bad("the address is not a URL"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(bad("the address is neither https nor http"));
        }
        if url.query_pairs().any(|(name, _)| name == REDIRECT_URI || name == STATE) {
            return Err(bad("`redirect_uri` and `state` are set by the server"));
        }
        Ok(Self { url, kept: None })
    }

    /// Keeps what the agent needs again with the answer, such as the verifier of PKCE.
    #[must_use]
    pub fn keep(self, kept: Json) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// The address for the browser.
    fn link(&self, redirect_uri: &str, state: &str) -> String {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair(REDIRECT_URI, redirect_uri).append_pair(STATE, state);
        url.into()
    }
}

impl fmt::Debug for Authorization {
    /// Without the query and what is kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorization").field(&self.url.host_str()).finish()
    }
}

/// What came of an [`Authorization`], for the agent that asked for it. It is good for the message
/// that needed it and nothing else (Spec 7.6.4).
pub struct Grant {
    /// What the request said as `redirect_uri`, which fetching a token has to repeat.
    pub redirect_uri: Arc<str>,
    /// The parameters of the answer, such as `code` or `error`; without `state`.
    pub parameters: BTreeMap<String, String>,
    /// What the agent [kept](Authorization::keep).
    pub kept: Option<Json>,
}

impl fmt::Debug for Grant {
    /// Without the values: they are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Grant ")?;
        f.debug_set().entries(self.parameters.keys()).finish()
    }
}

/// The tasks that wait for an authorization, each of them for one.
#[derive(Default)]
pub(crate) struct Authorizations {
    /// Where answers arrive; nowhere until a binding says so.
    address: Mutex<Option<Arc<str>>>,
    /// By the digests of the texts that answers find them by: a look-up takes a time that tells
    /// something of what it compares.
    waiting: Mutex<HashMap<Digest, Waiting>>,
}

type Digest = [u8; digest::SHA256_OUTPUT_LEN];

struct Waiting {
    live: Arc<Live>,
    /// What the agent works on once more.
    message: Message,
    ask: Ask,
    kept: Option<Json>,
    redirect_uri: Arc<str>,
    until: Instant,
}

impl Authorizations {
    pub(crate) fn arrive_at(&self, address: &str) {
        *self.address.lock() = Some(address.into());
    }

    /// Makes the link by which a task's authorization is given, in place of an earlier one.
    pub(crate) fn begin(
        &self,
        authorization: Authorization,
        live: &Arc<Live>,
        (message, ask): (&Message, &Ask),
        limits: &Limits,
    ) -> Result<String, AgentError> {
        let address = ask.callback.clone().or_else(|| self.address.lock().clone());
        let redirect_uri = address
            .ok_or_else(|| AgentError::failed("this server has no address for authorizations"))?;
        let mut state = [0; STATE_BYTES];
        rand::fill(&mut state).map_err(|_| AgentError::failed("there is no randomness here"))?;
        let state = BASE64_URL_SAFE_NO_PAD.encode(state);
        let link = authorization.link(&redirect_uri, &state);
        let now = Instant::now();
        let mut waiting = self.waiting.lock();
        waiting.retain(|_, other| other.until > now && other.live.key != live.key);
        if waiting.len() >= limits.authorizations {
            return Err(AgentError::failed("too many tasks wait for authorizations"));
        }
        let new = Waiting {
            live: live.clone(),
            message: message.clone(),
            ask: ask.clone(),
            kept: authorization.kept,
            redirect_uri,
            until: now + limits.authorization_wait,
        };
        waiting.insert(digest_of(&state), new);
        Ok(link)
    }

    fn take(&self, state: &str) -> Option<Waiting> {
        let waiting = self.waiting.lock().remove(&digest_of(state))?;
        (waiting.until > Instant::now()).then_some(waiting)
    }
}

fn digest_of(state: &str) -> Digest {
    let digest = digest::digest(&digest::SHA256, state.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// Goes on with the task that waits for an answer with this state.
///
/// # Errors
/// `InvalidParams` when none waits for it, and why no work is taken.
pub(crate) async fn arrive(
    core: &Arc<Core>,
    answer: impl IntoIterator<Item = (String, String)>,
) -> Result<(), A2aError> {
    core.admit()?;
    let mut parameters = BTreeMap::new();
    for (name, value) in answer {
        // Nobody can say which of two is meant (RFC 6749 3.1).
        if parameters.insert(name, value).is_some() {
            return Err(unknown());
        }
    }
    let state = parameters.remove(STATE).ok_or_else(unknown)?;
    let waiting = core.authorizations.take(&state).ok_or_else(unknown)?;
    let Waiting { live, message, mut ask, kept, redirect_uri, .. } = waiting;
    // The link may be faster than the end of the run that gave it out.
    let idle = timeout(core.limits.stop_grace, live.idle()).await;
    // Another replica may have gone on with the task.
    let is_free = matches!(idle, Ok(Ok(()))) && matches!(core.owner(&live).await?, Owner::This);
    if !is_free || live.current_state() != TaskState::AuthRequired {
        return Err(unknown());
    }
    let exposed = core.agent(live.scope.agent.as_deref()).ok_or_else(unknown)?;
    let stop = live.begin_run(&core.halt).ok_or_else(unknown)?;
    // From here on the task is at work, so a crash is a lost run like any other.
    if live.emit(&live.status(TaskState::Working, None)).is_err() {
        live.end_run();
        return Err(unknown());
    }
    live.flush();
    ask.granted = Some(Arc::new(Grant { redirect_uri, parameters, kept }));
    let job = Job::new(&live, exposed, live::Waiting { message, ask, stop });
    // Nobody can be told to come again: the browser is gone, and its answer is good once.
    let place = core.places.queue(&core.limits, &job.live.scope);
    run::start(core, job, place);
    Ok(())
}

/// The same for whatever the reason is: strangers are not told which links there have been.
fn unknown() -> A2aError {
    let text = "nothing waits for this authorization, or not any more; \
                send the task another message to begin anew";
    A2aError::new(ErrorKind::InvalidParams, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_carry_what_the_server_adds() {
        let link = |url: &str| {
            let authorization = Authorization::at(url).map_err(|error| error.to_string())?;
            Ok(authorization.link("http://here/a2a/callback", "s&1"))
        };
        let added = "redirect_uri=http%3A%2F%2Fhere%2Fa2a%2Fcallback&state=s%261";
        let bad = |why: &str| Err(format!("cannot ask for authorization: {why}"));
        let cases = [
            ("https://idp/a", Ok(format!("https://idp/a?{added}"))),
            ("https://idp/a?scope=x#y", Ok(format!("https://idp/a?scope=x&{added}#y"))),
            ("idp", bad("the address is not a URL")),
            ("javascript:alert(1)", bad("the address is neither https nor http")),
            ("https://idp?state=1", bad("`redirect_uri` and `state` are set by the server")),
        ];
        for (url, expected) in cases {
            assert_eq!(link(url), expected, "{url}");
        }
    }

    #[test]
    fn what_is_printed_of_a_grant_is_no_secret() {
        let parameters = BTreeMap::from([("code".to_owned(), "hush".to_owned())]);
        let grant = Grant { redirect_uri: "http://here".into(), parameters, kept: None };
        assert_eq!(format!("{grant:?}"), r#"Grant {"code"}"#);
    }
}
