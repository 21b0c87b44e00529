//! What is written can be read back, up to what the table of losses says.

use legation_model::StreamResponse;
use legation_wire::answer::Answer;
use legation_wire::loss;
use legation_wire::operation::{Operation, Route};
use legation_wire::v0_3::{Form, read_answer, read_params, read_rest, write};
use proptest::prelude::*;
use proptest::sample::select;

use crate::values;

pub(crate) const ANSWERS: [Answer; 4] =
    [Answer::SentTask, Answer::SentMessage, Answer::Task, Answer::Item];

/// The 1.0 document of an answer.
pub(crate) fn document(answer: Answer, response: &StreamResponse) -> Vec<u8> {
    let document = match (answer, response) {
        (Answer::SentTask | Answer::Task, StreamResponse::Task(task)) => serde_json::to_vec(task),
        (Answer::SentMessage, StreamResponse::Message(message)) => serde_json::to_vec(message),
        _ => serde_json::to_vec(response),
    };
    document.expect("the model is JSON")
}

fn check(answer: Answer, response: &StreamResponse) {
    for form in Form::ALL {
        let written = write(form, answer, &document(answer, response)).expect("a good document");
        let text = str::from_utf8(&written).expect("UTF-8");
        assert!(!text.contains('\n'), "an event is one line: {text}");
        let got = read_answer(form, answer, &written)
            .unwrap_or_else(|error| panic!("{form:?} {answer:?} {error}\n{text}"));
        let mut expected = response.clone();
        loss::normalise(form, answer, &mut expected);
        assert_eq!(got, expected, "{form:?} {answer:?}\n{text}");
    }
}

proptest! {
    #[test]
    fn a_task_comes_back(task in values::task()) {
        check(Answer::Task, &task);
        check(Answer::SentTask, &task);
    }

    #[test]
    fn a_message_comes_back(message in values::direct_message()) {
        check(Answer::SentMessage, &message);
    }

    #[test]
    fn an_item_comes_back(item in values::item()) {
        check(Answer::Item, &item);
    }

    #[test]
    fn nothing_that_is_said_in_its_words_makes_a_reader_panic(
        json in values::babble(),
        form in select(&Form::ALL),
        answer in select(&ANSWERS),
    ) {
        let text = json.to_string();
        let _ = read_answer(form, answer, text.as_bytes());
        let _ = write(form, answer, text.as_bytes());
        for row in &legation_wire::operation::TABLE {
            let _ = read_params(row.operation, form, Some(&text));
            let parameters = vec![("id", "t".into())];
            let route = Route { operation: row.operation, tenant: None, parameters };
            let _ = read_rest(&route, form, None, Some(&text));
        }
        let sent = format!(r#"{{"message":{text}}}"#);
        let _ = read_params(Operation::SendMessage, form, Some(&sent));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
        item in values::item(),
        form in select(&Form::ALL),
        answer in select(&ANSWERS),
        at in any::<prop::sample::Index>(),
    ) {
        let _ = read_answer(form, answer, &bytes);
        let _ = write(form, answer, &bytes);
        let mut damaged = write(form, Answer::Item, &document(Answer::Item, &item)).expect("a good document");
        let at = at.index(damaged.len());
        damaged[at] = damaged[at].wrapping_add(1);
        let _ = read_answer(form, answer, &damaged);
        let _ = read_answer(form, answer, &damaged[..at]);
    }
}

/// Data at the greatest depth survives the objects that it is wrapped in.
#[test]
fn the_deepest_data_comes_back() {
    for (open, close) in [("[", "]"), (r#"{"value":"#, "}")] {
        let data = format!("{}1{}", open.repeat(100), close.repeat(100));
        let text = format!(
            r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{{"data":{data}}}]}}}}"#
        );
        let item = serde_json::from_str(&text).expect("at the bound");
        check(Answer::Item, &item);
    }
}

#[test]
fn the_table_of_losses_names_each_medium() {
    let lines = loss::TABLE
        .iter()
        .map(|loss| format!("{:?}: {} -> {}", loss.media, loss.what, loss.becomes));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    [Json(Json0_1)]: the states rejected and auth-required -> failed and input-required
    [Json(Json0_1)]: a direct message -> a completed task with the message in its status, under the message's id
    [Json(Json0_1)]: a task as an item of a stream -> a status event; history and artifacts are for `tasks/get`
    [Json(Json), Json(JsonAnd0_1), Json(Json0_1)]: a message whose role is not said -> a message of the agent
    [Json(Proto), Grpc(V0_3)]: the tasks that a message refers to -> nothing
    [Json(Json), Json(JsonAnd0_1), Json(Json0_1), Json(Proto), Grpc(V0_3)]: metadata of a text or of data under the keys that keep what has no member -> what is kept there
    [Json(Json), Json(JsonAnd0_1), Json(Json0_1), Json(Proto), Grpc(V0_3)]: metadata that is empty, where something is kept in it -> no metadata
    [Grpc(V0_3), Grpc(V1_0)]: how a number in metadata or data is spelled, such as 1.50 or 1e2 -> the shortest spelling, such as 1.5 or 100
    [Grpc(V0_3), Grpc(V1_0)]: a whole number beyond 2^53 in metadata or data, or one beyond 1.8e308 -> a refusal of the answer, or a text where the server is set so
    ");
}
