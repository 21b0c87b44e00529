//! What a model answers: whole, in pieces, or not at all.

use ::http::StatusCode;
use legation_model::Json;
use serde::Deserialize;

use crate::http::fault::Fault;

/// A whole answer.
#[derive(Debug, Default)]
pub(super) struct Completion {
    pub(super) text: String,
    /// Why the model will not answer.
    pub(super) refusal: Option<String>,
    pub(super) usage: Option<Json>,
}

/// An answer or a piece of one, as it is on the wire. Servers add members of their own.
#[derive(Debug, Deserialize)]
struct Wire {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Json>,
    error: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(alias = "delta")]
    message: Option<Said>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Said {
    content: Option<String>,
    refusal: Option<String>,
}

/// What was heard of an answer that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    heard: Completion,
    /// Something was said at all.
    began: bool,
    finish: Option<String>,
}

impl Completion {
    /// Reads an answer that came whole.
    ///
    /// # Errors
    /// When it is none, or stopped before its end.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| Fault::Unreadable("it is not UTF-8".into()))?;
        let mut chunk = Chunk::default();
        chunk.take(text)?;
        let began = chunk.text();
        let mut whole = chunk.end(true)?;
        whole.text = began.unwrap_or_default();
        Ok(whole)
    }
}

impl Chunk {
    /// Hears the next piece.
    ///
    /// # Errors
    /// When it is none, or says what went wrong.
    pub(super) fn take(&mut self, text: &str) -> Result<(), Fault> {
        let wire: Wire =
            serde_json::from_str(text).map_err(|error| Fault::Unreadable(error.to_string()))?;
        if let Some(error) = wire.error {
            let (kind, code) = (&error["type"], &error["code"]);
            tracing::warn!(%kind, %code, "the model broke its answer off");
            return Err(Fault::Told("the model broke its answer off with an error".into()));
        }
        // `null` in every piece but the last.
        self.heard.usage =
            wire.usage.filter(|usage| usage.as_str() != "null").or(self.heard.usage.take());
        // More than one choice was not asked for.
        let Some(choice) = wire.choices.into_iter().next() else { return Ok(()) };
        let said = choice.message.unwrap_or_default();
        self.heard.text += &said.content.unwrap_or_default();
        if let Some(refusal) = said.refusal.filter(|text| !text.is_empty()) {
            *self.heard.refusal.get_or_insert_default() += &refusal;
        }
        self.finish = choice.finish_reason.or(self.finish.take());
        Ok(())
    }

    /// The text heard since it was last taken.
    pub(super) fn text(&mut self) -> Option<String> {
        let text = std::mem::take(&mut self.heard.text);
        self.began |= !text.is_empty();
        (!text.is_empty()).then_some(text)
    }

    /// What is known at the end, which the stream has marked or not.
    ///
    /// # Errors
    /// When the answer stopped before its end, or there was none.
    pub(super) fn end(self, marked: bool) -> Result<Completion, Fault> {
        let stopped = |text: &str| Err(Fault::Told(text.into()));
        match self.finish.as_deref() {
            Some("length") => stopped("the model's answer is longer than it may be"),
            Some("content_filter") => stopped("the model's content filter stopped its answer"),
            None if !marked => Err(Fault::Unreadable("it ends before its end".into())),
            _ if self.heard.refusal.is_none() && !self.began => {
                stopped("the model answered nothing")
            }
            _ => Ok(self.heard),
        }
    }
}

/// Puts what a refusal of OpenAI says into words, where the caller can do something about it.
pub(super) fn told(fault: Fault) -> Fault {
    #[derive(Deserialize)]
    struct Refusal {
        error: Reason,
    }
    #[derive(Deserialize)]
    struct Reason {
        code: Option<String>,
    }
    let Fault::Status { status: StatusCode::BAD_REQUEST, ref body, .. } = fault else {
        return fault;
    };
    let code = serde_json::from_str(body).ok().and_then(|refusal: Refusal| refusal.error.code);
    match code.as_deref() {
        Some("context_length_exceeded") => Fault::Told(
            "the conversation is longer than the model can take; begin a new one".into(),
        ),
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_says_why_not() {
        let choice = |message: &str, finish: &str| {
            format!(
                r#"{{"choices":[{{"message":{message},"finish_reason":"{finish}"}}],"usage":{{"total_tokens":3}}}}"#
            )
        };
        let cases = [
            (choice(r#"{"content":"hi"}"#, "stop"), "hi / None"),
            (choice(r#"{"content":null,"refusal":"no"}"#, "stop"), r#" / Some("no")"#),
            (choice(r#"{"content":""}"#, "stop"), "answered nothing"),
            (choice(r#"{"content":"h"}"#, "length"), "longer than it may be"),
            (choice(r#"{"content":"h"}"#, "content_filter"), "content filter"),
            (r#"{"choices":[]}"#.into(), "answered nothing"),
            (r#"{"error":{"message":"key sk-1"}}"#.into(), "broke its answer off"),
            ("<html>".into(), "expected value"),
        ];
        for (text, expected) in cases {
            let got = match Completion::read(text.as_bytes()) {
                Ok(got) => format!("{} / {:?}", got.text, got.refusal),
                Err(fault) => fault.to_string(),
            };
            assert!(got.contains(expected) && !got.contains("sk-1"), "{text}: {got}");
        }
    }
}
