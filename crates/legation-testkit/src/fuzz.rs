//! A fuzz loop over the decoders that runs on stable Rust: seeds, mutations, and two laws.
//!
//! Whatever the bytes, a decoder answers without a panic; and what it accepts says the same when it
//! is written and read again.

use legation_model::{
    A2aError, AgentCard, Event, Request, SendMessageRequest, StreamResponse, Task,
};
use legation_wire::answer::Answer;
use legation_wire::grpc::{Numbers, Package};
use legation_wire::json::JsonBounds;
use legation_wire::v0_3::{self, Form};
use legation_wire::version::{MissingVersion, Version};
use legation_wire::{codec, fault, grpc, jsonrpc, operation, sse, v1};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Inputs to begin from: one of every shape that comes from outside.
const SEEDS: &[&str] = &[
    r#"{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"kind":"message","messageId":"m","role":"user","parts":[{"kind":"text","text":"x"},{"kind":"file","file":{"bytes":"AA==","name":"f","mimeType":"a/b"}},{"kind":"data","data":{"n":[1]}}],"contextId":"c"},"configuration":{"blocking":false,"historyLength":5,"pushNotificationConfig":{"url":"http://x","authentication":{"schemes":["Bearer"]}}}}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tasks/send","params":{"id":"t","sessionId":"s","message":{"role":"user","parts":[{"type":"text","text":"x"},{"type":"file","file":{"uri":"http://x"}}]},"historyLength":0}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tasks/pushNotificationConfig/set","params":{"taskId":"t","pushNotificationConfig":{"url":"http://x"}}}"#,
    r#"{"jsonrpc":"2.0","id":"a\u00e9","method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x\ud83d\ude00"},{"raw":"AA==","filename":"f","mediaType":"a/b"},{"url":"http://x"},{"data":{"n":[1e400,-0,null]}}],"metadata":{"k":{"d":[[]]}},"extensions":["u"],"referenceTaskIds":["t"]},"configuration":{"historyLength":"5","returnImmediately":true,"acceptedOutputModes":["a/b"]}}}"#,
    r#"{"jsonrpc":"2.0","id":7,"method":"ListTasks","params":{"pageSize":50,"status":"TASK_STATE_WORKING","statusTimestampAfter":"2026-01-02T03:04:05.678Z","page_token":"x","include_artifacts":true}}"#,
    r#"{"jsonrpc":"2.0","id":null,"method":"GetTask","params":{"id":"t","history_length":0}}"#,
    r#"{"id":"t","contextId":"c","status":{"state":3,"timestamp":"2026-01-02T03:04:05Z"},"artifacts":[{"artifactId":"a","name":"n","parts":[{"data":null}]}],"history":[{"messageId":"m","role":2,"parts":[{"text":""}]}]}"#,
    r#"{"artifactUpdate":{"taskId":"t","contextId":"c","artifact":{"artifactId":"a","parts":[{"text":"x"}]},"append":true,"lastChunk":false}}"#,
    r#"{"effect":{"restarted":{"attempt":2,"voided":["a"]}},"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}"#,
    r#"{"name":"n","description":"d","supportedInterfaces":[{"url":"u","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],"version":"1","capabilities":{"streaming":true},"securitySchemes":{"b":{"httpAuthSecurityScheme":{"scheme":"Bearer"}}},"securityRequirements":[{"schemes":{"b":{"list":[]}}}],"defaultInputModes":["a/b"],"defaultOutputModes":["a/b"],"skills":[{"id":"s","name":"n","description":"d","tags":["t"]}]}"#,
    r#"{"error":{"code":404,"status":"NOT_FOUND","message":"m","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"TASK_NOT_FOUND","domain":"a2a-protocol.org"}]}}"#,
    "id: 7\ndata: {\"task\":{}}\n\n: comment\r\n\r\nevent: error\rdata: x\r\r",
    // A send of 1.0 and one of 0.3, as messages of gRPC, and a task.
    "\n\x01t\x12A\n\x01m\x12\x01c \x01*\x03\n\x01x*\n\x12\x02hi2\x01f:\x01a*#\"!*\x1f\n\x0e\n\x01k\x12\x09\x11\0\0\0\0\0\0\0@\n\x0d\n\x01l\x12\x082\x06\n\x02\x08\0\n\0:\x01u\x1a\x04\x18\x05 \x01\"\x05\n\x03\n\x01k",
    "\n:\n\x01m \x01*\x03\n\x01x*\x09\x12\x07\x12\x02hi\x1a\x01a*#\x1a!\n\x1f\n\x0e\n\x01k\x12\x09\x11\0\0\0\0\0\0\0@\n\x0d\n\x01l\x12\x082\x06\n\x02\x08\0\n\0\x12\x04\x18\x05 \x01",
    "\n\x01t\x12\x01c\x1a\x08\x08\x03\x1a\x04\x08\x7f\x10\x7f\"\x08\n\x01a\"\x03\n\x01x",
    "GET /tenant/tasks/a%2Fb:subscribe?historyLength=5&a2a-version=1.0",
];

/// Pieces that break parsers, to be put anywhere.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b"\xff",
    b"\0",
    b"\n",
    b"\r",
    b"null",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"0.1",
    b"true",
    b"\"\"",
    b"%00",
    b"%",
    b"../",
    b"\"id\":",
    b"\"message\":",
    b"\"parts\":[",
    b"\"text\":\"\"",
    b"\"data\":",
];

/// Fuzzes one step for every seed of numbers from `first` on; a failure panics with the input.
pub fn run(first: u64, steps: u64) {
    for number in first..first + steps {
        let input = Mutation::new(number).input();
        check(&input);
    }
}

/// Gives one input to every decoder.
fn check(input: &[u8]) {
    let _ = sse_frames(input);
    grpc_messages(input);
    let Ok(text) = JsonBounds::default().admit(input) else { return };
    if let Ok(envelope) = jsonrpc::read(text)
        && let Ok(spoken) = codec::of_method(None, MissingVersion::Infer, &envelope.method)
    {
        let (operation, params) = (spoken.target, envelope.params);
        let read = spoken.codec.read_params(operation, params).map(|(request, _)| request);
        // Whatever version it came in, it is a request of 1.0 then.
        same(read, |request| {
            let params = params_of(&request)?;
            Some(v1::read_params(operation, Some(&params)))
        });
    }
    for form in [Form::Json, Form::JsonAnd0_1, Form::Json0_1, Form::Proto] {
        for answer in [Answer::SentTask, Answer::SentMessage, Answer::Task, Answer::Item] {
            let _ = v0_3::write(form, answer, input);
        }
    }
    round_trip::<Task>(text);
    round_trip::<StreamResponse>(text);
    round_trip::<Event>(text);
    round_trip::<AgentCard>(text);
    for version in Version::SERVED {
        let _ = fault::read_rpc(version, text);
        let _ = fault::read_rest(version, 404, text);
    }
    if let Some((verb, path)) = text.split_once(' ') {
        for stated in [None, Some(Version::V1_0), Some(Version::V0_3), Some(Version::V0_1)] {
            let Ok(codec::Place::Route(spoken)) =
                codec::of_path(stated, MissingVersion::Infer, verb, path)
            else {
                continue;
            };
            let _ = spoken.codec.read_rest(&spoken.target, None, Some(text));
        }
    }
}

fn grpc_messages(input: &[u8]) {
    let bounds = JsonBounds::default();
    for package in Package::ALL {
        for row in operation::rows(package.version()) {
            let _ = grpc::read_answer(package, row.operation, input, bounds);
            let read = grpc::read(package, row.operation, input, bounds);
            // Whatever package it came in, it is a request of 1.0 then.
            same(read, |request| {
                let (operation, params) = (row.operation, params_of(&request)?);
                let written =
                    grpc::write_request(Package::V1_0, operation, &params, Numbers::Refuse);
                Some(grpc::read(Package::V1_0, operation, &written.ok()?, bounds))
            });
        }
        for answer in [Answer::SentTask, Answer::SentMessage, Answer::Task, Answer::Item] {
            let _ = grpc::write(package, answer, input, Numbers::Text);
        }
    }
}

/// The parameters of the requests whose types can be written.
fn params_of(request: &Request) -> Option<String> {
    let json = match request {
        Request::SendMessage(request) | Request::SendStreamingMessage(request) => {
            serde_json::to_string::<SendMessageRequest>(request)
        }
        Request::GetTask(request) => serde_json::to_string(request),
        Request::ListTasks(request) => serde_json::to_string(request),
        Request::CancelTask(request) => serde_json::to_string(request),
        Request::SubscribeToTask(request) => serde_json::to_string(request),
        Request::CreateTaskPushNotificationConfig(request) => serde_json::to_string(request),
        Request::GetTaskPushNotificationConfig(request) => serde_json::to_string(request),
        Request::ListTaskPushNotificationConfigs(request) => serde_json::to_string(request),
        Request::DeleteTaskPushNotificationConfig(request) => serde_json::to_string(request),
        Request::GetExtendedAgentCard(request) => serde_json::to_string(request),
    };
    json.ok()
}

fn same(
    read: Result<Request, A2aError>,
    again: impl FnOnce(Request) -> Option<Result<Request, A2aError>>,
) {
    if let Ok(request) = read
        && let Some(back) = again(request.clone())
    {
        assert_eq!(back.as_ref(), Ok(&request), "a request changed on its way");
    }
}

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str) {
    let Ok(value) = serde_json::from_str::<T>(text) else { return };
    let written = serde_json::to_string(&value).expect("what was read can be written");
    assert!(!written.contains('\n'), "a line break in {written:?}");
    let back: T = serde_json::from_str(&written)
        .unwrap_or_else(|error| panic!("{error}: cannot read back {written:?} of {text:?}"));
    assert_eq!(back, value, "{text:?}");
}

fn sse_frames(input: &[u8]) -> Result<usize, sse::TooLarge> {
    let mut reader = sse::Reader::new(4_096);
    let mut frames = 0;
    for piece in input.chunks(7) {
        reader.push(piece)?;
        while reader.pop().is_some() {
            frames += 1;
        }
    }
    Ok(frames)
}

/// Turns a number into an input: the same one every time.
struct Mutation(u64);

impl Mutation {
    fn new(number: u64) -> Self {
        Self(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// SplitMix64: small, and good enough to wander through inputs.
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize
    }

    fn below(&mut self, bound: usize) -> usize {
        self.next() % bound.max(1)
    }

    fn input(&mut self) -> Vec<u8> {
        let mut input = SEEDS[self.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..self.below(5) {
            self.mutate(&mut input);
        }
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let end = (at + self.below(24)).min(input.len());
        match self.below(5) {
            0 => drop(input.drain(at..end)),
            1 => drop(input.splice(at..at, PIECES[self.below(PIECES.len())].iter().copied())),
            2 => drop(input.splice(at..end, PIECES[self.below(PIECES.len())].iter().copied())),
            3 => {
                let copy = input[at..end].to_vec();
                let to = self.below(input.len() + 1);
                drop(input.splice(to..to, copy));
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    /// A seed that nobody takes leads nowhere.
    #[test]
    fn the_messages_among_the_seeds_are_taken() {
        use super::{JsonBounds, Package, SEEDS, grpc, operation::Operation};
        let bounds = JsonBounds::default();
        let sends = |package| {
            let read = |seed: &&&str| {
                grpc::read(package, Operation::SendMessage, seed.as_bytes(), bounds).is_ok()
            };
            SEEDS.iter().filter(read).count()
        };
        assert_eq!(Package::ALL.map(sends), [1, 1]);
        let task = |seed: &&str| {
            let json =
                grpc::read_answer(Package::V1_0, Operation::GetTask, seed.as_bytes(), bounds);
            json.is_ok_and(|json| serde_json::from_str::<super::Task>(&json).is_ok())
        };
        assert!(SEEDS.iter().any(task));
    }

    #[test]
    fn no_input_breaks_a_decoder() {
        super::run(0, 20_000);
    }
}
