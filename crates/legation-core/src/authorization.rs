//! Authorization in the middle of a task (Spec 7.6): an agent that needs somebody's consent says
//! where it is given, and works on the message once more when the answer comes. It comes to an
//! address of the server, by way of a browser, and not in a message of the task.
//!
//! What comes is for the agent alone. It is kept in memory and never stored, so a link that was
//! given out before a restart leads nowhere; a further message to the task makes a new one. Where it comes to
//! another replica than the one that waits, that one gets it sealed by the secret of the link.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use legation_model::{A2aError, ErrorKind, Json, Message, TaskState};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::live::{self, Live};
use crate::replicas::{Answer, Owner};
use crate::run::{self, Job};
use crate::service::Core;
use crate::store::Replica;
use crate::turn::Ask;
use crate::{AgentError, Limits};

/// The parameters of an authorization request that the server sets (RFC 6749 4.1.1).
const REDIRECT_URI: &str = "redirect_uri";
const STATE: &str = "state";

/// Bytes of the text by which an answer finds its task. Who has it can answer. On a store that is shared, the
/// number of the replica that waits stands before it, with this between them.
const STATE_BYTES: usize = 32;
const AT: char = '.';

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
    pub parameters: Parameters,
    /// What the agent [kept](Authorization::keep).
    pub kept: Option<Json>,
}

/// The parameters of an answer.
type Parameters = BTreeMap<String, String>;

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

/// An answer on its way to the replica that waits for it. It stands in the store meanwhile, where nobody can
/// read it: only the link and that replica have its key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// Of the state.
    digest: Digest,
    nonce: [u8; NONCE_LEN],
    /// In base64.
    text: String,
}

struct Waiting {
    live: Arc<Live>,
    /// What the agent works on once more.
    message: Message,
    ask: Ask,
    kept: Option<Json>,
    redirect_uri: Arc<str>,
    /// Opens an answer that came to another replica.
    seal: RandomizedNonceKey,
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
        (limits, at): (&Limits, Option<Replica>),
    ) -> Result<String, AgentError> {
        let address = ask.callback.clone().or_else(|| self.address.lock().clone());
        let redirect_uri = address
            .ok_or_else(|| AgentError::failed("this server has no address for authorizations"))?;
        let mut state = [0; STATE_BYTES];
        rand::fill(&mut state).map_err(|_| AgentError::failed("there is no randomness here"))?;
        let at = at.map(|Replica(number)| format!("{number}{AT}")).unwrap_or_default();
        let state = at + &BASE64_URL_SAFE_NO_PAD.encode(state);
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
            seal: seal_of(&state),
            until: now + limits.authorization_wait,
        };
        waiting.insert(digest_of(&state), new);
        Ok(link)
    }

    /// What waits for an answer by that digest, if it makes something of the answer.
    fn take<T>(
        &self,
        digest: &Digest,
        read: impl FnOnce(&Waiting) -> Option<T>,
    ) -> Option<(Waiting, T)> {
        let mut all = self.waiting.lock();
        let read = read(all.get(digest)?)?;
        let waiting = all.remove(digest)?;
        (waiting.until > Instant::now()).then_some((waiting, read))
    }
}

fn digest_of(state: &str) -> Digest {
    let digest = digest::digest(&digest::SHA256, state.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// The key that a link's secret makes, which its digest does not tell.
fn seal_of(state: &str) -> RandomizedNonceKey {
    let key = digest_of(&format!("seal{AT}{state}"));
    RandomizedNonceKey::new(&AES_256_GCM, &key).expect("a key of 32 bytes")
}

/// The replica that waits for an answer with this state.
fn waits_at(state: &str) -> Option<Replica> {
    state.split_once(AT)?.0.parse().ok().map(Replica)
}

impl Sealed {
    fn new(state: &str, parameters: &Parameters) -> Option<Self> {
        let mut text = serde_json::to_vec(parameters).ok()?;
        let nonce = seal_of(state).seal_in_place_append_tag(Aad::empty(), &mut text).ok()?;
        let text = BASE64_URL_SAFE_NO_PAD.encode(text);
        Some(Self { digest: digest_of(state), nonce: *nonce.as_ref(), text })
    }

    fn open(&self, seal: &RandomizedNonceKey) -> Option<Parameters> {
        let mut text = BASE64_URL_SAFE_NO_PAD.decode(&self.text).ok()?;
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let text = seal.open_in_place(nonce, Aad::empty(), &mut text).ok()?;
        serde_json::from_slice(text).ok()
    }
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
    let mut parameters = Parameters::new();
    for (name, value) in answer {
        // Nobody can say which of two is meant (RFC 6749 3.1).
        if parameters.insert(name, value).is_some() {
            return Err(unknown());
        }
    }
    let state = parameters.remove(STATE).ok_or_else(unknown)?;
    let elsewhere = core.replicas.as_ref().zip(waits_at(&state));
    let Some((replicas, at)) = elsewhere.filter(|(replicas, at)| replicas.this() != *at) else {
        return take_up(core, &digest_of(&state), |_| Some(parameters)).await;
    };
    let sealed = Sealed::new(&state, &parameters).ok_or_else(unknown)?;
    match replicas.hand_over(at, sealed, core.limits.stop_grace).await? {
        Answer::Done(_) => Ok(()),
        Answer::Ended(_) | Answer::Bound(_) | Answer::NotHere | Answer::Failed => Err(unknown()),
    }
}

/// The same with an answer that came to another replica.
///
/// # Errors
/// Those of [`arrive`].
pub(crate) async fn receive(core: &Arc<Core>, sealed: &Sealed) -> Result<(), A2aError> {
    core.admit()?;
    take_up(core, &sealed.digest, |waiting| sealed.open(&waiting.seal)).await
}

async fn take_up(
    core: &Arc<Core>,
    digest: &Digest,
    read: impl FnOnce(&Waiting) -> Option<Parameters>,
) -> Result<(), A2aError> {
    let (waiting, parameters) = core.authorizations.take(digest, read).ok_or_else(unknown)?;
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
    fn an_answer_on_its_way_is_read_by_who_waits_for_it_only() {
        let parameters = Parameters::from([("code".to_owned(), "hush".to_owned())]);
        let sealed = Sealed::new("7.secret", &parameters).expect("a key");
        let written = serde_json::to_string(&sealed).expect("JSON");
        assert!(!written.contains("hush") && !written.contains("secret"), "{written}");
        let sealed: Sealed = serde_json::from_str(&written).expect("the same");
        assert_eq!(sealed.digest, digest_of("7.secret"));
        assert_eq!(sealed.open(&seal_of("7.secret")), Some(parameters));
        assert_eq!(sealed.open(&seal_of("7.other")), None);
        let text = BASE64_URL_SAFE_NO_PAD.encode("what somebody else has written");
        assert_eq!(Sealed { text, ..sealed }.open(&seal_of("7.secret")), None);
        assert_eq!(waits_at("7.secret"), Some(Replica(7)));
        assert_eq!((waits_at("secret"), waits_at("x.secret")), (None, None));
    }

    #[test]
    fn what_is_printed_of_a_grant_is_no_secret() {
        let parameters = BTreeMap::from([("code".to_owned(), "hush".to_owned())]);
        let grant = Grant { redirect_uri: "http://here".into(), parameters, kept: None };
        assert_eq!(format!("{grant:?}"), r#"Grant {"code"}"#);
    }
}
