//! Messages of a stream. Most are alike: a chunk differs from the one before in its text only, and then
//! nothing else of it is read and encoded anew.

use std::mem;

use memchr::memchr2;

use super::Numbers;
use super::fault::Fault;
use super::from_json::{Spot, from_json_with_spot};
use super::lengths::change;
use super::schema::Message;

/// The longest JSON of which something is kept: streams that are quiet are many.
const KEPT: usize = 2 << 10;

/// The message that was encoded last.
#[derive(Debug, Default)]
pub(super) struct Alike {
    message: Vec<u8>,
    text: Option<Text>,
}

/// A text in it, and what stood before and behind that in the JSON.
#[derive(Debug)]
struct Text {
    before: Box<str>,
    behind: Box<str>,
    spot: Spot,
}

impl Alike {
    /// Encodes the next message.
    ///
    /// # Errors
    /// As [`super::from_json::from_json`].
    pub(super) fn encode(
        &mut self,
        message: &'static Message,
        json: &str,
        numbers: Numbers,
    ) -> Result<&[u8], Fault> {
        if self.repeat(json).is_none() {
            let room = mem::take(&mut self.message);
            let (encoded, spot) = from_json_with_spot(message, json, numbers, room)?;
            self.message = encoded;
            let worth_it = spot.filter(|_| json.len() <= KEPT);
            self.text = worth_it.map(|spot| Text::of(json, spot));
        }
        Ok(&self.message)
    }

    /// Gives the last message away.
    pub(super) fn take(&mut self) -> Vec<u8> {
        mem::take(self).message
    }

    /// Puts the text of this JSON into the last message, if that is all it differs in.
    fn repeat(&mut self, json: &str) -> Option<()> {
        let mut last = self.text.take()?;
        let text = json.strip_prefix(&*last.before)?.strip_suffix(&*last.behind)?;
        let is_plain = memchr2(b'"', b'\\', text.as_bytes()).is_none();
        self.text = (is_plain && last.spot.put(text, &mut self.message)).then_some(last);
        self.text.as_ref().map(drop)
    }
}

impl Text {
    fn of(json: &str, spot: Spot) -> Self {
        let (rest, behind) = json.split_at(json.len() - spot.behind);
        let before = &rest[..rest.len() - spot.text.len()];
        Self { before: before.into(), behind: behind.into(), spot }
    }
}

impl Spot {
    /// Puts another text here; false when a length would take another number of bytes.
    fn put(&mut self, text: &str, message: &mut Vec<u8>) -> bool {
        let (end, by) = (self.text.end, text.len().wrapping_sub(self.text.len()));
        if by != 0 {
            if !self.lengths.iter().all(|at| change(&mut message[*at..], by)) {
                return false;
            }
            let (before, after) = (message.len(), message.len().wrapping_add(by));
            self.text.end = end.wrapping_add(by);
            message.resize(before.max(after), 0);
            message.copy_within(end..before, self.text.end);
            message.truncate(after);
        }
        message[self.text.clone()].copy_from_slice(text.as_bytes());
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::from_json::from_json;
    use super::super::{Package, method};
    use super::*;
    use crate::operation::Operation;

    fn stream_response(package: Package) -> &'static Message {
        method(package, Operation::SendStreamingMessage).expect("a method").output
    }

    /// A chunk as a serializer writes it, in either package.
    fn chunk(artifact: &str, text: &str, behind: &str) -> String {
        let text = serde_json::to_string(text).expect("a text");
        let parts = format!(r#"[{{"text":{text}}}{behind}]"#);
        let artifact = format!(r#"{{"artifactId":"{artifact}","parts":{parts}}}"#);
        format!(r#"{{"artifactUpdate":{{"taskId":"t","artifact":{artifact},"append":true}}}}"#)
    }

    #[test]
    fn a_chunk_that_differs_in_its_text_is_not_encoded_anew() {
        let (output, numbers) = (stream_response(Package::V1_0), Numbers::Refuse);
        let mut alike = Alike::default();
        let long = "x".repeat(200);
        let cases = [
            ("one", "", false),
            ("three", "", true),
            ("", "", true),
            ("a \"quoted\" one", "", false),
            ("one", "", false),
            (&long, "", false),
            (&long[1..], "", true),
            ("one", r#",{"data":[1]}"#, false),
            ("three", r#",{"data":[1]}"#, true),
            ("three", r#",{"data":[2]}"#, false),
        ];
        for (text, behind, repeats) in cases {
            let json = chunk("a", text, behind);
            assert_eq!(alike.repeat(&json).is_some(), repeats, "{json}");
            let encoded = alike.encode(output, &json, numbers);
            assert_eq!(encoded.ok(), from_json(output, &json, numbers).ok().as_deref(), "{json}");
        }
        assert!(alike.encode(output, r#"{"artifactUpdate":1}"#, numbers).is_err());
        assert_eq!(alike.repeat(&chunk("a", "one", "")), None, "what failed leaves nothing");
        let large = "x".repeat(KEPT);
        assert!(alike.encode(output, &chunk("a", &large, ""), numbers).is_ok());
        assert_eq!(alike.repeat(&chunk("a", &large, "")), None, "what is large is not kept");
        assert!(!alike.take().is_empty() && alike.take().is_empty());
    }

    /// A text, an artifact, and what stands behind the text.
    fn any_chunk() -> impl Strategy<Value = (String, &'static str, &'static str)> {
        let text = prop_oneof!["[ab]{0,3}", "[a-z\u{e9}\"\\\\\n]{0,300}"];
        let artifact = prop_oneof![Just("a"), Just("b")];
        let more = [r#",{"text":"more"}"#, r#",{"data":{"data":{"k":[1,"x"]}}}"#, ""];
        (text, artifact, proptest::sample::select(more.to_vec()))
    }

    proptest! {
        #[test]
        fn chunks_are_encoded_as_each_of_them_alone(
            chunks in proptest::collection::vec(any_chunk(), 1..20),
            package in proptest::sample::select(&Package::ALL[..]),
        ) {
            let mut alike = Alike::default();
            let (output, numbers) = (stream_response(package), Numbers::Refuse);
            for (text, artifact, behind) in chunks {
                let json = chunk(artifact, &text, behind);
                let alone = from_json(output, &json, numbers);
                let encoded = alike.encode(output, &json, numbers).map(<[u8]>::to_vec);
                prop_assert_eq!(encoded, alone);
            }
        }
    }
}
