//! The analyst as an agent: message parts in, an answer for people and programs out.

use std::collections::{HashSet, VecDeque};

use async_trait::async_trait;
use legation_core::{Agent, AgentError, OnRestart, Profile, Turn};
use legation_model::{
    AgentSkill, Artifact, ArtifactId, Base64, Content, Json, Message, Part, Role, Task, TaskId,
    TaskState,
};
use legation_net::Http;

use super::bad_data::excerpt;
use super::fetch::{FETCH_TIME, fetch};
use super::limits::{MAX_ADDRESSES, MAX_FILE_BYTES};
use super::parts::{Brief, Considered, Given, Held, consider};
use super::read::decode;
use super::request::asks_for_chart;
use super::{Outcome, Picture, Report, Watch, wanted};

/// The built-in Data Analyst: describes and compares numbers, looks ahead and draws charts. It needs
/// no model. This one fetches nothing; see [`FetchingAnalyst`].
#[derive(Clone, Copy, Debug)]
pub struct DataAnalyst;

/// The Data Analyst that takes files by their address, too.
#[derive(Clone, Debug)]
pub struct FetchingAnalyst {
    http: Http,
}

impl FetchingAnalyst {
    /// The analyst that fetches from the public internet only.
    ///
    /// # Errors
    /// When the TLS trust roots of the system cannot be loaded.
    pub fn new() -> Result<Self, legation_net::Error> {
        Http::guarded().map(Self::by)
    }

    /// The analyst that fetches through this client, which decides what strangers may have fetched.
    pub fn by(http: Http) -> Self {
        Self { http }
    }
}

/// How many earlier tasks are looked at for data: a follow-up to a follow-up refers to it only.
const MAX_EARLIER: usize = 8;

const INPUT: [&str; 4] =
    ["text/plain", "text/csv", "text/tab-separated-values", "application/json"];
const OUTPUT: [&str; 3] = ["text/plain", "application/json", "image/svg+xml"];

impl DataAnalyst {
    /// How it presents itself.
    pub fn profile() -> Profile {
        let mut profile = Profile::new(
            "data-analyst",
            "Data Analyst",
            "Describes, filters, groups and correlates numbers, finds trends and outliers, looks \
             ahead and draws charts. Reads text, CSV and JSON.",
        );
        profile.skills = vec![analyze_csv(), generate_chart()];
        profile.input_modes = INPUT.map(Into::into).into();
        profile.output_modes = OUTPUT.map(Into::into).into();
        profile
    }
}

/// The skill that tells of data.
const DATA_SKILL: &str = "analyze_csv";

/// The skill that draws as well.
const CHART_SKILL: &str = "generate_chart";

fn analyze_csv() -> AgentSkill {
    AgentSkill {
        id: DATA_SKILL.into(),
        name: "Analyze data".into(),
        description: "Describe, filter, group, correlate, trend, outliers and forecast of numbers \
                      in text, CSV or JSON"
            .into(),
        tags: ["data", "statistics", "trend", "forecast", "csv"].map(Into::into).into(),
        examples: vec![
            "Analyze this sales data and provide a trend analysis: [100, 120, 95]".into(),
            "Average price by region where year is at least 2020".into(),
        ],
        input_modes: INPUT.map(Into::into).into(),
        output_modes: ["text/plain", "application/json"].map(Into::into).into(),
        ..AgentSkill::default()
    }
}

fn generate_chart() -> AgentSkill {
    AgentSkill {
        id: CHART_SKILL.into(),
        name: "Draw a chart".into(),
        description: "Line, bar, pie, scatter charts and histograms as SVG".into(),
        tags: ["data", "chart", "svg", "visualization"].map(Into::into).into(),
        examples: vec!["Bar chart of total sales by region".into()],
        input_modes: INPUT.map(Into::into).into(),
        output_modes: OUTPUT.map(Into::into).into(),
        ..AgentSkill::default()
    }
}

#[async_trait]
impl Agent for DataAnalyst {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        work(turn, None).await
    }

    fn skill(&self, message: &Message) -> Option<String> {
        Some(skill_of(message).into())
    }

    /// The same data give the same answer, so a lost run is simply done again.
    fn on_restart(&self) -> OnRestart {
        OnRestart::Retry
    }
}

#[async_trait]
impl Agent for FetchingAnalyst {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        work(turn, Some(&self.http)).await
    }

    /// As for [`DataAnalyst`].
    fn skill(&self, message: &Message) -> Option<String> {
        Some(skill_of(message).into())
    }

    /// As for [`DataAnalyst`].
    fn on_restart(&self) -> OnRestart {
        OnRestart::Retry
    }
}

async fn work(turn: &mut Turn, http: Option<&Http>) -> Result<(), AgentError> {
    turn.working(None).await?;
    let mut earlier = Earlier::new(&turn.task());
    let mut fetches = Fetches { http, addresses: MAX_ADDRESSES, bytes: MAX_FILE_BYTES };
    // An answer to a question of ours makes sense only with what was said before it.
    let mut said = fetches.here(said(turn.task())).await;
    let mut data_of = Vec::new();
    // First with what this task has; only then is an earlier one looked at.
    let outcome = loop {
        // Kept while there is an earlier task to look at it again with.
        let said = if earlier.next.is_empty() { std::mem::take(&mut said) } else { said.clone() };
        let draws = wants_chart(turn.message());
        let brief = Brief { said, earlier: std::mem::take(&mut data_of), draws };
        let Considered { outcome, has_data } = analyzed(turn, brief).await?;
        if has_data {
            break outcome;
        }
        match earlier.next(turn).await? {
            Some(task) => data_of = fetches.here(self::said(task)).await,
            None => break outcome,
        }
    };
    match outcome {
        Outcome::Report(report) => give(turn, &report).await,
        Outcome::Question(question) => turn.ask(question).await,
        Outcome::BadData(fault) => turn.settle(TaskState::Failed, fault.to_string()).await,
    }
}

/// Off the runtime's threads, because a large table keeps a core busy for a while. When this future
/// is dropped, so is the receiver of the notes, and the work stops at its next look.
async fn analyzed(turn: &mut Turn, brief: Brief) -> Result<Considered, AgentError> {
    let (watch, mut notes) = Watch::new();
    let work = tokio::task::spawn_blocking(move || consider(brief, &watch));
    while let Some(note) = notes.recv().await {
        turn.working(Some(&note)).await?;
    }
    work.await.map_err(|_| AgentError::failed("the analysis crashed"))
}

/// Everything the caller said in a task.
fn said(task: Task) -> Vec<Part> {
    let messages = task.history.into_iter().filter(|message| message.role != Role::Agent);
    messages.flat_map(|message| message.parts).collect()
}

/// How files are fetched, and how much may still be for this request.
struct Fetches<'a> {
    http: Option<&'a Http>,
    addresses: usize,
    bytes: usize,
}

impl Fetches<'_> {
    /// The contents of the parts, fetched where they are elsewhere.
    async fn here(&mut self, parts: Vec<Part>) -> Vec<Given> {
        let mut given = Vec::with_capacity(parts.len());
        for part in parts {
            match Given::of(part) {
                Ok(part) => given.push(part),
                Err((part, url)) => given.push(self.fetched(part, &url).await),
            }
        }
        given
    }

    async fn fetched(&mut self, mut part: Given, url: &str) -> Given {
        let Some(http) = self.http else {
            let why =
                "I cannot fetch files by their address here. Send the content in the message.";
            part.held = Held::Nothing(why.into());
            return part;
        };
        if self.addresses == 0 || self.bytes == 0 {
            let most = MAX_FILE_BYTES >> 20;
            part.held = Held::Nothing(format!(
                "I fetch at most {MAX_ADDRESSES} addresses and {most} MiB for one request. Send \
                 fewer, or the content in the message."
            ));
            return part;
        }
        self.addresses -= 1;
        let called = part.name.clone().unwrap_or_else(|| excerpt(url));
        let fetching = tokio::time::timeout(FETCH_TIME, fetch(http, url, self.bytes)).await;
        part.held = match fetching.unwrap_or_else(|_| Err("it took too long".into())) {
            Ok(found) => {
                self.bytes = self.bytes.saturating_sub(found.bytes.len());
                part.kind = part.kind.or(Some(found.media_type).filter(|it| !it.is_empty()));
                // The name at the end of an address tells the type as a file's name does.
                let name = url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next());
                part.name = part.name.or_else(|| name.map(excerpt).filter(|it| !it.is_empty()));
                Held::Bytes(found.bytes)
            }
            Err(why) => Held::Nothing(format!(
                "I cannot fetch {called}: {why}. Send another address, or the content in the \
                 message."
            )),
        };
        part
    }
}

/// Whether the caller named the skill that draws.
fn wants_chart(message: &Message) -> bool {
    let skill = |key| message.metadata.as_ref()?.get(key)?.read::<String>().ok();
    ["skill_id", "skillId"].into_iter().filter_map(skill).any(|skill| skill == CHART_SKILL)
}

/// The skill that a message may come to. It is the one that draws wherever a drawing may be asked for:
/// whoever may not have one is better refused a message without it than given one.
fn skill_of(message: &Message) -> &'static str {
    let may_ask = wants_chart(message) || message.parts.iter().any(may_ask_for_chart);
    if may_ask { CHART_SKILL } else { DATA_SKILL }
}

/// Whether a part may ask for a drawing. A table is never read as a request; what is elsewhere may
/// turn out to be anything else.
fn may_ask_for_chart(part: &Part) -> bool {
    let kind = part.media_type.as_deref().unwrap_or_default();
    match &part.content {
        Content::Text(text) => text_asks_for_chart(text),
        Content::Data(data) => text_asks_for_chart(data.as_str()),
        Content::Raw(_) | Content::Url(_) if kind.starts_with("text/csv") => false,
        Content::Raw(raw) => {
            decode(raw.decode()).is_some_and(|(text, _)| text_asks_for_chart(&text))
        }
        Content::Url(_) => true,
    }
}

/// Whether a text may ask for a drawing, by its words or by those of the JSON that it is, which may
/// be spelled in more than one way.
fn text_asks_for_chart(text: &str) -> bool {
    let json = text.trim_start().starts_with(['{', '[', '"']);
    let spelled = || serde_json::from_str::<serde_json::Value>(text).ok();
    asks_for_chart(text)
        || json && spelled().is_some_and(|value| asks_for_chart(&value.to_string()))
}

/// The tasks that this one refers to, and those that they refer to.
struct Earlier {
    next: VecDeque<TaskId>,
    seen: HashSet<TaskId>,
}

impl Earlier {
    fn new(task: &Task) -> Self {
        let mut earlier = Self { next: VecDeque::new(), seen: HashSet::from([task.id.clone()]) };
        earlier.add(task);
        earlier
    }

    fn add(&mut self, task: &Task) {
        for id in task.history.iter().rev().flat_map(|message| &message.reference_task_ids) {
            if self.seen.len() <= MAX_EARLIER && self.seen.insert(id.clone()) {
                self.next.push_back(id.clone());
            }
        }
    }

    async fn next(&mut self, turn: &Turn) -> Result<Option<Task>, AgentError> {
        while let Some(id) = self.next.pop_front() {
            if let Some(task) = turn.other_task(&id).await? {
                self.add(&task);
                return Ok(Some(task));
            }
        }
        Ok(None)
    }
}

/// Answers with all figures, or with those that the caller's schema names. A chart is an artifact of
/// its own, a file.
async fn give(turn: &mut Turn, report: &Report) -> Result<(), AgentError> {
    let (text, data) = (report.to_text(), report.to_data());
    if let Some(picture) = &report.chart {
        turn.artifact(chart(picture)).await?;
    }
    let schema = turn.schema().and_then(|schema| schema.read().ok());
    // First, because a schema that requires nothing is satisfied by anything.
    let picked = schema.and_then(|schema| wanted::pick(&schema, &data, &text));
    let Some(picked) = picked else { return turn.answer(answer(&text, &data)).await };
    match turn.answer(answer(&text, &picked)).await {
        // The reason speaks of what was picked, which is nearer to what was asked for.
        Err(AgentError::Unfit(reason)) => match turn.answer(answer(&text, &data)).await {
            Err(AgentError::Unfit(_)) => Err(AgentError::Unfit(reason)),
            done => done,
        },
        done => done,
    }
}

fn answer(text: &str, data: &serde_json::Value) -> Vec<Part> {
    let data = Json::from_value(data).expect("a tree of JSON values is JSON");
    vec![Part::text(text), Part::data(data).with_media_type("application/json")]
}

fn chart(picture: &Picture) -> Artifact {
    let raw = Part::from(Content::Raw(Base64::encode(picture.svg.as_bytes())));
    let part = raw.with_media_type("image/svg+xml").with_filename("chart.svg");
    let id = ArtifactId::parse("chart").expect("a valid identifier");
    Artifact { name: Some(picture.title.clone()), ..Artifact::new(id, vec![part]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_may_ask_for_a_drawing_is_for_the_skill_that_draws() {
        let named = |skill: &str, part| {
            let message = Message::new(Role::User, vec![part]);
            Message {
                metadata: legation_model::Metadata::single("skillId", &skill).ok(),
                ..message
            }
        };
        let file = |bytes: &[u8], kind: &str| {
            Part::from(Content::Raw(Base64::encode(bytes))).with_media_type(kind)
        };
        let data = |text| Part::data(Json::parse(text).expect("JSON"));
        let utf_16: Vec<u8> = "\u{feff}plot it".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let elsewhere = || Part::from(Content::Url("https://example.com/x".into()));
        let cases = [
            ("", Part::text("mean of 1 2 3"), DATA_SKILL),
            ("", Part::text("Bar CHART of sales"), CHART_SKILL),
            (DATA_SKILL, Part::text("draw it"), CHART_SKILL),
            (CHART_SKILL, Part::text("1 2 3"), CHART_SKILL),
            ("", data(r#"{"request":{"chart":{}}}"#), CHART_SKILL),
            ("", data(r#"{"request":{"ch\u0061rt":{}}}"#), CHART_SKILL),
            ("", Part::text(r#"{"request":{"ch\u0061rt":{}}}"#), CHART_SKILL),
            ("", data(r#"{"a":1}"#), DATA_SKILL),
            ("", file(b"plot it", "text/plain"), CHART_SKILL),
            ("", file(&utf_16, "text/plain"), CHART_SKILL),
            ("", file(b"plot,it\n1,2", "text/csv"), DATA_SKILL),
            ("", file(b"1 2 3", ""), DATA_SKILL),
            ("", elsewhere(), CHART_SKILL),
            ("", elsewhere().with_media_type("text/csv"), DATA_SKILL),
        ];
        for (skill, part, expected) in cases {
            let shown = format!("{skill} {part:?}");
            assert_eq!(skill_of(&named(skill, part)), expected, "{shown}");
        }
    }

    #[tokio::test]
    async fn one_request_fetches_so_many_addresses_and_bytes() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let forty = axum::Router::new().fallback(|| async { "1".repeat(40) });
        tokio::spawn(async move { axum::serve(listener, forty).await });
        // On this machine nothing but this server is called.
        let http = Http::new().expect("trust roots");
        let cases = [
            (1_000, "1 2 3 4 5 6 7 8 I fetch at most 8 addresses and 64 MiB"),
            (100, "1 2 I cannot fetch x: the answer is larger than 20 bytes"),
            (80, "1 2 I fetch at most 8 addresses and 64 MiB"),
        ];
        for (bytes, expected) in cases {
            let mut fetches = Fetches { http: Some(&http), addresses: MAX_ADDRESSES, bytes };
            let mut shown = String::new();
            // One after the other, as those of earlier tasks are.
            for n in 1..=MAX_ADDRESSES + 1 {
                let parts = vec![Part::from(Content::Url(url.clone())).with_filename("x")];
                let held = fetches.here(parts).await.remove(0).held;
                if let Held::Nothing(why) = held {
                    shown.push_str(&why);
                    break;
                }
                shown.push_str(&format!("{n} "));
            }
            assert!(shown.starts_with(expected), "{shown}");
        }
    }
}
