//! The analyst as an agent: message parts in, an answer for people and programs out.

use async_trait::async_trait;
use legation_core::{Agent, AgentError, OnRestart, Profile, Turn};
use legation_model::{AgentSkill, Content, Json, Message, Part, Role, TaskState};

use super::{Input, Outcome, Report, analyze, wanted};

/// The built-in Data Analyst: describes numbers, finds trends and outliers. It needs no model.
pub struct DataAnalyst;

impl DataAnalyst {
    /// How it presents itself.
    pub fn profile() -> Profile {
        let mut profile = Profile::new(
            "data-analyst",
            "Data Analyst",
            "Describes numbers, finds their trend and their outliers. Reads text, CSV and JSON.",
        );
        profile.skills = vec![AgentSkill {
            id: "analyze_csv".into(),
            name: "Analyze data".into(),
            description: "Describe, trend and outliers of numbers in text, CSV or JSON".into(),
            tags: ["data", "statistics", "trend", "csv"].map(Into::into).into(),
            examples: vec![
                "Analyze this sales data and provide a trend analysis: [100, 120, 95]".into(),
            ],
            ..AgentSkill::default()
        }];
        profile.input_modes = ["text/plain", "text/csv", "application/json"].map(Into::into).into();
        profile
    }
}

#[async_trait]
impl Agent for DataAnalyst {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        turn.working(None).await?;
        // An answer to a question of ours makes sense only with what was said before it.
        let said = turn.task().history.into_iter().filter(|message| message.role != Role::Agent);
        let said: Vec<Message> = said.collect();
        // Off the runtime's threads: a large table keeps a core busy for a while.
        let outcome = tokio::task::spawn_blocking(move || consider(&said));
        let outcome = outcome.await.map_err(|_| AgentError::failed("the analysis crashed"))?;
        match outcome {
            Ok(Outcome::Report(report)) => give(turn, &report).await,
            Ok(Outcome::Question(question)) => turn.ask(question).await,
            Ok(Outcome::BadData(fault)) => turn.settle(TaskState::Failed, fault.to_string()).await,
            Err(unreadable) => turn.ask(unreadable).await,
        }
    }

    /// The same data give the same answer, so a lost run is simply done again.
    fn on_restart(&self) -> OnRestart {
        OnRestart::Retry
    }
}

/// Answers with all figures, or with those that the caller's schema names.
async fn give(turn: &mut Turn, report: &Report) -> Result<(), AgentError> {
    let (text, data) = (report.to_text(), report.to_data());
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

/// Analyzes everything said so far; an error says which part cannot be read and what to send.
fn consider(said: &[Message]) -> Result<Outcome, String> {
    let parts: Vec<&Part> = said.iter().flat_map(|message| &message.parts).collect();
    let texts: Vec<Option<String>> =
        parts.iter().map(|part| file_text(part)).collect::<Result<_, _>>()?;
    let inputs = parts.iter().zip(&texts).map(|(part, file)| input(part, file.as_deref()));
    Ok(analyze(&inputs.collect::<Result<Vec<_>, _>>()?))
}

/// The text of a file part; `None` for the other parts.
fn file_text(part: &Part) -> Result<Option<String>, String> {
    let name = part.filename.as_deref().unwrap_or("the file");
    match &part.content {
        Content::Text(_) | Content::Data(_) => Ok(None),
        Content::Raw(raw) => String::from_utf8(raw.decode()).map(Some).map_err(|_| {
            format!("I cannot read {name}: it is not UTF-8 text. Send CSV, JSON or plain text.")
        }),
        Content::Url(_) => {
            Err(format!("I cannot fetch {name} by its address. Send its content in the message."))
        }
    }
}

fn input<'a>(part: &'a Part, file: Option<&'a str>) -> Result<Input<'a>, String> {
    let name = part.filename.as_deref();
    if let Content::Data(data) = &part.content {
        let value = data.read().map_err(|error| format!("I cannot read the data: {error}."))?;
        return Ok(Input::Json { name, value });
    }
    let text = file.or(part.as_text()).unwrap_or_default();
    let kind = part.media_type.as_deref().unwrap_or_default();
    let is = |media: &str, ending: &str| {
        kind.starts_with(media) || name.is_some_and(|name| name.to_lowercase().ends_with(ending))
    };
    if is("text/csv", ".csv") {
        return Ok(Input::Csv { name, text });
    }
    if is("application/json", ".json") {
        let value = serde_json::from_str(text);
        let value = value
            .map_err(|error| format!("I cannot read {}: {error}.", name.unwrap_or("the JSON")))?;
        return Ok(Input::Json { name, value });
    }
    Ok(Input::Text(text))
}

#[cfg(test)]
mod tests {
    use legation_model::Base64;

    use super::*;

    fn outcome(parts: Vec<Part>) -> String {
        match consider(&[Message::new(Role::User, parts)]) {
            Ok(Outcome::Report(report)) => report.to_data()["series"][0]["name"].to_string(),
            Ok(Outcome::Question(_)) => "question".into(),
            Ok(Outcome::BadData(fault)) => fault.to_string(),
            Err(unreadable) => unreadable,
        }
    }

    #[test]
    fn every_kind_of_part_is_read_as_what_it_is() {
        let raw = |bytes: &[u8]| Part::from(Content::Raw(Base64::encode(bytes)));
        let cases = [
            (Part::text("sales: 1, 2, 3, 4"), "\"sales\""),
            (raw(b"sales\n1\n2\n3\n4\n").with_filename("a.csv"), "\"sales\""),
            (raw(b"{\"sales\":[1,2,3]}").with_media_type("application/json"), "\"sales\""),
            (Part::data(Json::parse("{\"sales\":[1,2,3]}").expect("JSON")), "\"sales\""),
            (
                raw(b"\xff").with_filename("a.csv"),
                "I cannot read a.csv: it is not UTF-8 text. Send CSV, JSON or plain text.",
            ),
            (
                Part::from(Content::Url("https://example.com/a.csv".into())),
                "I cannot fetch the file by its address. Send its content in the message.",
            ),
            (Part::text("hello"), "question"),
        ];
        for (part, expected) in cases {
            let shown = format!("{part:?}");
            assert_eq!(outcome(vec![part]), expected, "{shown}");
        }
    }
}
