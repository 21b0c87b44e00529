//! From the parts of messages to what the analyst reads: texts, tables and JSON.

use legation_model::{Base64, Content, Json, Part};
use serde_json::Value;

use super::answer::Stop;
use super::bad_data::excerpt;
use super::limits::{MAX_FILE_BYTES, MAX_JSON_BYTES};
use super::plan::Plan;
use super::read::{Material, decode, read};
use super::watch::Watch;
use super::{Input, Outcome, answer};

/// A part whose content is here.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) name: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) held: Held,
}

/// What a part holds.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    Text(String),
    Encoded(Base64),
    Bytes(Vec<u8>),
    Data(Json),
    /// It could not be had, and this is why.
    Nothing(String),
}

impl Given {
    /// A part; its address, when that is all there is.
    pub(crate) fn of(part: Part) -> Result<Self, (Self, String)> {
        let Part { content, filename: name, media_type: kind, metadata: _ } = part;
        let held = match content {
            Content::Text(text) => Held::Text(text),
            Content::Raw(raw) => Held::Encoded(raw),
            Content::Data(data) => Held::Data(data),
            Content::Url(url) => {
                return Err((Self { name, kind, held: Held::Nothing(String::new()) }, url));
            }
        };
        Ok(Self { name, kind, held })
    }

    fn called(&self) -> String {
        self.name.as_deref().map_or("the file".into(), excerpt)
    }
}

/// What is to be analyzed.
#[derive(Debug, Default)]
pub(crate) struct Brief {
    /// Everything said in this task.
    pub(crate) said: Vec<Given>,
    /// What was said in an earlier one, whose data count when this one has none.
    pub(crate) earlier: Vec<Given>,
    /// Whether a chart is asked for beside the words.
    pub(crate) draws: bool,
}

/// What came of it, and whether there was anything to analyze.
pub(crate) struct Considered {
    pub(crate) outcome: Outcome,
    pub(crate) has_data: bool,
}

/// Reads and analyzes.
pub(crate) fn consider(brief: Brief, watch: &Watch) -> Considered {
    let stopped = |stop: Stop| Considered { outcome: stop.into(), has_data: true };
    let (mut material, plan) = match material(brief.said, watch) {
        Ok(read) => read,
        Err(stop) => return stopped(stop),
    };
    if !material.reading.has_data() && !brief.earlier.is_empty() {
        match self::material(brief.earlier, watch) {
            Ok((earlier, _)) => material.reading.absorb(earlier.reading),
            Err(stop) => return stopped(stop),
        }
    }
    if brief.draws {
        material.instruction.push_str("\nchart");
    }
    let has_data = material.reading.has_data();
    Considered { outcome: answer(material, plan, watch), has_data }
}

/// The data and words of some parts, and the request among them.
fn material(parts: Vec<Given>, watch: &Watch) -> Result<(Material, Option<Plan>), Stop> {
    let mut plan = None;
    let mut notes = Vec::new();
    let mut owned = Vec::new();
    for part in parts {
        let read = contents(part, &mut plan, &mut notes);
        owned.extend(read?);
    }
    let inputs: Vec<Input<'_>> = owned.iter_mut().map(Contents::input).collect();
    let mut material = read(&inputs, watch)?;
    material.reading.notes.extend(notes);
    Ok((material, plan))
}

/// What a part turned out to be.
enum Contents {
    Text(String),
    Csv(Option<String>, String),
    Json(Option<String>, Value),
}

impl Contents {
    fn input(&mut self) -> Input<'_> {
        match self {
            Self::Text(text) => Input::Text(text),
            Self::Csv(name, text) => Input::Csv { name: name.as_deref(), text },
            Self::Json(name, value) => {
                Input::Json { name: name.as_deref(), value: std::mem::take(value) }
            }
        }
    }
}

/// Reads a part; an error says what is wrong with it and what to send.
fn contents(
    part: Given,
    plan: &mut Option<Plan>,
    notes: &mut Vec<String>,
) -> Result<Option<Contents>, String> {
    let called = part.called();
    let Given { name, kind, held } = part;
    let kind = kind.unwrap_or_default();
    let is_file = matches!(held, Held::Encoded(_) | Held::Bytes(_));
    let text = match held {
        Held::Nothing(reason) => return Err(reason),
        Held::Data(data) => {
            let value = data.read().map_err(|error| format!("I cannot read the data: {error}."))?;
            return json(name, value, plan);
        }
        Held::Text(text) => text,
        Held::Encoded(raw) => file(&called, raw.decode(), notes)?,
        Held::Bytes(bytes) => file(&called, bytes, notes)?,
    };
    let is = |media: &[&str], endings: &[&str]| {
        let name = name.as_deref().unwrap_or_default().to_lowercase();
        media.iter().any(|media| kind.starts_with(media))
            || endings.iter().any(|ending| name.ends_with(ending))
    };
    if is(&["text/csv", "text/tab-separated-values", "application/csv"], &[".csv", ".tsv"]) {
        return Ok(Some(Contents::Csv(name, text)));
    }
    let looks_like_json = is_file && kind.is_empty() && text.trim_start().starts_with(['{', '[']);
    if looks_like_json || is(&["application/json"], &[".json"]) {
        if text.len() > MAX_JSON_BYTES {
            let most = MAX_JSON_BYTES >> 20;
            return Err(format!("I take at most {most} MiB of JSON. Send {called} as CSV."));
        }
        let value = serde_json::from_str(&text);
        let value = value.map_err(|error| format!("I cannot read {called}: {error}."))?;
        return json(name, value, plan);
    }
    Ok(Some(Contents::Text(text)))
}

/// A JSON value, without the request it may hold.
fn json(
    name: Option<String>,
    mut value: Value,
    plan: &mut Option<Plan>,
) -> Result<Option<Contents>, String> {
    if let Some(found) = Plan::take(&mut value).map_err(|error| {
        format!("I cannot read the request: {error}. Which of these do you mean?")
    })? {
        *plan = Some(found);
        if value.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok(None);
        }
    }
    Ok(Some(Contents::Json(name, value)))
}

/// Files that are not text, by their first bytes.
const OTHERS: [(&[u8], &str); 8] = [
    (b"PK\x03\x04", "a ZIP archive or an Excel or Office file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Office file"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"PAR1", "a Parquet file"),
];

/// The text of a file.
fn file(called: &str, bytes: Vec<u8>, notes: &mut Vec<String>) -> Result<String, String> {
    const SEND: &str = "Send CSV, JSON or plain text.";
    if bytes.len() > MAX_FILE_BYTES {
        let most = MAX_FILE_BYTES >> 20;
        return Err(format!(
            "{called} is too large: I take at most {most} MiB. Send a part of it."
        ));
    }
    if let Some((_, what)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(format!("I cannot read {called}: it is {what}. {SEND}"));
    }
    let (text, note) =
        decode(bytes).ok_or_else(|| format!("I cannot read {called}: it is not text. {SEND}"))?;
    notes.extend(note.map(|note| format!("{called}: {note}.")));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(part: Part) -> String {
        let said = vec![Given::of(part).unwrap_or_else(|(given, _)| given)];
        match consider(Brief { said, ..Brief::default() }, &Watch::default()).outcome {
            Outcome::Report(report) => {
                let names: Vec<&str> = report.series.iter().map(|it| it.name.as_str()).collect();
                let notes = report.notes.concat();
                if notes.is_empty() { names.join(" ") } else { notes }
            }
            Outcome::Question(question) => {
                question.split(". ").take(2).collect::<Vec<_>>().join(". ")
            }
            Outcome::BadData(fault) => fault.to_string(),
        }
    }

    #[test]
    fn every_kind_of_part_is_read_as_what_it_is() {
        let raw = |bytes: &[u8]| Part::from(Content::Raw(Base64::encode(bytes)));
        let data = |text: &str| Part::data(Json::parse(text).expect("JSON"));
        let cases = [
            (Part::text("sales: 1, 2, 3, 4"), "sales"),
            (raw(b"sales\n1\n2\n3\n4\n").with_filename("a.csv"), "sales"),
            (raw(b"sales\tn\n1\t2\n").with_filename("a.tsv"), "sales n"),
            (raw(b"{\"sales\":[1,2,3]}").with_media_type("application/json"), "sales"),
            (raw(b" {\"sales\":[1,2,3]}"), "sales"),
            (raw(b"m,sales\na,1\nb,2\n"), "sales"),
            (data("{\"sales\":[1,2,3]}"), "sales"),
            (
                data("{\"request\":{\"operations\":[\"trend\"]},\"data\":{\"sales\":[1,2]}}"),
                "sales",
            ),
            (
                raw(b"ort,z\nK\xf6ln,1\n").with_filename("a.csv"),
                "a.csv: it is not UTF-8; I read it as Latin-1 (Windows-1252).",
            ),
            (
                raw(b"PK\x03\x04").with_filename("a.xlsx"),
                "I cannot read a.xlsx: it is a ZIP archive or an Excel or Office file. Send CSV, JSON \
                 or plain text.",
            ),
            (
                raw(b"\x01\x00\x00").with_filename("a.csv"),
                "I cannot read a.csv: it is not text. Send CSV, JSON or plain text.",
            ),
            (
                data("{\"request\":{\"sort\":1}}"),
                "I cannot read the request: unknown field `sort`, expected one of `operations`, \
                 `columns`, `filter`, `group`, `order`, `correlate`, `forecast`, `chart`. Which of these do \
                 you mean?",
            ),
            (
                Part::text("hello"),
                "What shall I analyze? Send numbers as a list, for example \"sales: [100, 120, \
                 95, 140, 160]\", or attach a CSV table or JSON with lists of numbers.",
            ),
        ];
        for (part, expected) in cases {
            let shown = format!("{part:?}");
            assert_eq!(outcome(part), expected, "{shown}");
        }
    }
}
