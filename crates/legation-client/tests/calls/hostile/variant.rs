//! One thing that a hostile peer does, and what must come of it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use futures::future::join_all;
use legation_client::{Authorities, Binding, Client, Credential, KeySet, Options, Signatures};
use legation_model::{
    GetTaskRequest, Message, Part, Role, SendMessageRequest, SendMessageResponse, TaskId,
};

use super::peer::{Act, Asked, Peer};
use super::told::{of_error, of_events, of_task};

/// What the caller is known by. No error may show it, and nobody else may get it.
pub(super) const SECRET: &str = "s3cret";
/// How long anything may take; most of it is a drip that is given up on.
const LONGEST: Duration = Duration::from_secs(9);
/// What may be on its way when a caller hangs up: the buffers of two sockets.
const UNDERWAY: u64 = 16 << 20;

/// What a caller asks of the peer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ask {
    /// To be found; the card is what the peer plays. Only cards that are signed are taken.
    DiscoverSigned,
    /// To be found; the card is what the peer plays.
    Discover,
    /// `GetTask` of task `t`.
    Get,
    /// `SendMessage`.
    Send,
    /// `SendStreamingMessage`.
    Stream,
    /// `SubscribeToTask` of task `t`, behind event 3.
    Follow,
}

/// A row of the tables.
#[derive(Clone, Copy)]
pub(super) struct Variant {
    pub(super) name: &'static str,
    ask: Ask,
    binding: Binding,
    plays: fn(&Asked) -> Vec<Act>,
    is_hasty: bool,
    /// Whether the peer plays its card as well.
    has_card: bool,
    /// How often the peer may be asked.
    times: usize,
    /// How what the caller is told begins; what follows an ellipsis is in the rest of it.
    told: &'static str,
}

type Plays = fn(&Asked) -> Vec<Act>;

impl Variant {
    const fn new(
        name: &'static str,
        ask: Ask,
        binding: Binding,
        plays: Plays,
        told: &'static str,
    ) -> Self {
        // A question is asked twice at most, by the patience below; a message is never.
        let times = match ask {
            Ask::Send | Ask::Stream => 1,
            Ask::Get | Ask::Follow => 2,
            // There are so many places for a card.
            Ask::Discover | Ask::DiscoverSigned => 3,
        };
        let has_card = matches!(ask, Ask::Discover | Ask::DiscoverSigned);
        Self { name, ask, binding, plays, is_hasty: false, has_card, times, told }
    }

    /// The same, and the peer may be asked so often.
    pub(super) const fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// The same, and the card is played as well.
    pub(super) const fn with_card(self) -> Self {
        Self { has_card: true, times: self.times + 1, ..self }
    }

    /// The same, played before anything is asked for.
    pub(super) const fn at_once(self) -> Self {
        Self { is_hasty: true, ..self }
    }
}

/// Over JSON-RPC.
pub(super) const fn rpc(name: &'static str, ask: Ask, plays: Plays, told: &'static str) -> Variant {
    Variant::new(name, ask, Binding::JsonRpc, plays, told)
}

/// Over HTTP+JSON.
pub(super) const fn rest(
    name: &'static str,
    ask: Ask,
    plays: Plays,
    told: &'static str,
) -> Variant {
    Variant::new(name, ask, Binding::HttpJson, plays, told)
}

/// Over gRPC.
pub(super) const fn grpc(
    name: &'static str,
    ask: Ask,
    plays: Plays,
    told: &'static str,
) -> Variant {
    Variant::new(name, ask, Binding::Grpc, plays, told)
}

/// Plays every row of a table, and tells all that came out otherwise.
pub(super) async fn check(table: &[Variant]) {
    #[cfg(target_os = "linux")]
    let before = peak();
    let faults: Vec<String> =
        join_all(table.iter().map(fault)).await.into_iter().flatten().collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), table.len(), faults.join("\n"));
    // Each row has a client with the authorities of the system, and a listener.
    #[cfg(target_os = "linux")]
    {
        let (grown, most) = (peak() - before, 48 + 2 * table.len());
        assert!(grown >> 20 < most as u64, "{} MiB for {} rows", grown >> 20, table.len());
    }
}

/// The most memory that this process has had, in bytes.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("there on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// What is wrong with how the client takes a variant.
async fn fault(variant: &Variant) -> Option<String> {
    let elsewhere = Peer::start(Arc::new(|_| Vec::new()), "", false).await;
    let plays = variant.plays;
    let has_card = variant.has_card;
    let script = move |asked: &Asked| match asked.is_for_card() && !has_card {
        true => vec![super::json(super::card(&asked.base))],
        false => plays(asked),
    };
    let peer = Peer::start(Arc::new(script), &elsewhere.url(), variant.is_hasty).await;
    let begun = Instant::now();
    let told = tokio::time::timeout(LONGEST, told(variant, &peer)).await;
    let took = begun.elapsed();
    let told = told.unwrap_or_else(|_| "nothing in time".into());
    let asked = peer.asked.lock().clone();
    let calls = asked.iter().filter(|asked| has_card || !asked.is_for_card()).count();
    let strangers = elsewhere.connections.load(Ordering::Relaxed);
    let said = peer.said.load(Ordering::Relaxed);
    // Of a stream nothing is kept, so nothing bounds it.
    let is_endless = told.ends_with("listening");
    let (begins, holds) = variant.told.split_once("...").unwrap_or((variant.told, ""));
    let wrong = [
        (!told.starts_with(begins) || !told.contains(holds), "told otherwise"),
        (told.contains(SECRET), "a secret is told"),
        // Or it would be no wonder that nobody else got it. Behind a redirect nobody does.
        (asked.first().is_some_and(lacks_secret), "the secret is missing"),
        (took >= LONGEST, "too long"),
        (calls > variant.times, "asked too often"),
        (strangers > 0, "somebody else is called"),
        (said > UNDERWAY && !is_endless, "too much is taken"),
        (asked.iter().any(|asked| asked.text.contains("\r\ncookie:")), "a cookie is sent"),
    ];
    let wrong: Vec<_> = wrong.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect();
    let told: String = told.chars().take(400).collect();
    (!wrong.is_empty()).then(|| {
        let wrong = wrong.join(", ");
        let Variant { name, binding, ask, .. } = variant;
        format!(
            "{name} ({binding:?}, {ask:?}): {wrong}: {told} ({calls} calls, {said} bytes, {took:?})"
        )
    })
}

/// Whether a request came without the secret, as far as it can be read.
fn lacks_secret(asked: &Asked) -> bool {
    !asked.text.is_empty() && !asked.text.contains(SECRET)
}

/// Options of a caller who has a secret, little room and little patience.
pub(super) fn options(binding: Binding) -> Options {
    let mut options = Options {
        credentials: Credential::bearer(SECRET).into(),
        binding: Some(binding),
        // Those of the system take long to read, and nobody speaks TLS here.
        authorities: Some(authorities()),
        ..crate::server::hasty()
    };
    options.patience.attempts = 1;
    options.limits.answer = Duration::from_millis(500);
    options.limits.settled = options.limits.answer;
    options.limits.silence = options.limits.answer;
    options.limits.answer_bytes = 64 << 10;
    options.limits.event_bytes = 16 << 10;
    options
}

fn authorities() -> Authorities {
    static AUTHORITIES: LazyLock<Authorities> = LazyLock::new(|| {
        let made = rcgen::generate_simple_self_signed(Vec::new()).expect("a certificate");
        Authorities::from_pem(made.cert.pem().as_bytes()).expect("an authority")
    });
    AUTHORITIES.clone()
}

/// What the caller is told, in words.
async fn told(variant: &Variant, peer: &Peer) -> String {
    let mut options = options(variant.binding);
    if variant.ask == Ask::DiscoverSigned {
        options.signatures = Signatures::Required(KeySet::default());
    }
    let client = match Client::discover(&peer.url(), options).await {
        Ok(client) => client,
        Err(error) => return of_error(&error),
    };
    let id = TaskId::parse("t").expect("an id");
    let answer = match variant.ask {
        Ask::Discover | Ask::DiscoverSigned => {
            return format!("{} {}", client.card().name, client.url());
        }
        Ask::Get => {
            let request = GetTaskRequest { tenant: None, id, history_length: None };
            client.get_task(request).await.map(|task| of_task(&task))
        }
        Ask::Send => client.send(message()).await.map(|sent| match sent {
            SendMessageResponse::Task(task) => of_task(&task),
            SendMessageResponse::Message(message) => format!("message {}", message.text()),
        }),
        Ask::Stream => match client.stream(message()).await {
            Ok(events) => Ok(of_events(events).await),
            Err(error) => Err(error),
        },
        Ask::Follow => match client.subscribe(id, Some(3)).await {
            Ok(events) => Ok(of_events(events).await),
            Err(error) => Err(error),
        },
    };
    answer.unwrap_or_else(|error| of_error(&error))
}

pub(super) fn message() -> SendMessageRequest {
    let message = Message::new(Role::User, vec![Part::text("go")]);
    SendMessageRequest { tenant: None, message, configuration: Default::default(), metadata: None }
}
