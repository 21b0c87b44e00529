//! The analyst in conversation: charts, questions and answers, follow-ups, files and progress.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use legation_agents::analyst::{DataAnalyst, FetchingAnalyst};
use legation_core::{Agent, Call, Caller, Reply, Service};
use legation_model::{Base64, Content, Request, SendMessageRequest, Task};
use legation_net::Http;
use legation_store::sqlite::{Options, SqliteStore};
use serde_json::{Value, json};

/// A server with one analyst.
struct Desk {
    service: Arc<Service>,
    _dir: tempfile::TempDir,
}

impl Desk {
    fn new(agent: impl Agent) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(dir.path(), Options::default()).expect("an empty directory");
        let service = Service::builder(store).agent(DataAnalyst::profile(), agent);
        Self { service: service.build().expect("one agent with a good slug"), _dir: dir }
    }

    /// Sends a message, with more of its members if need be, and gives the task as it stands.
    async fn send(&self, parts: Value, more: Value) -> Task {
        let mut message = json!({
            "messageId": uuid(), "role": "ROLE_USER", "parts": parts, "contextId": "c",
        });
        let members = message.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        let request = json!({"message": message});
        let request: SendMessageRequest = serde_json::from_value(request).expect("a request");
        let call = Call::by(Caller::anonymous());
        match self.service.call(&call, Request::SendMessage(request)).await {
            Ok(Reply::SentTask(task)) => task.read().expect("a task"),
            other => panic!("not a task: {other:?}"),
        }
    }

    async fn say(&self, text: &str) -> Task {
        self.send(json!([{"text": text}]), json!({})).await
    }
}

fn uuid() -> String {
    legation_model::MessageId::generate().to_string()
}

fn csv(text: &[u8]) -> Value {
    json!({"raw": Base64::encode(text).as_str(), "filename": "shops.csv", "mediaType": "text/csv"})
}

const SHOPS: &[u8] = b"month,region,sales,costs\nJan,north,10,3\nFeb,south,20,4\nMar,north,30,9\n";

/// What the task says last.
fn said(task: &Task) -> String {
    let message = task.status.message.as_ref().expect("something is said");
    format!("{}: {}", task.status.state.name(), message.text())
}

fn chart(task: &Task) -> String {
    let artifact = task.artifacts.iter().find(|artifact| artifact.artifact_id.as_str() == "chart");
    let part = &artifact.expect("a chart").parts[0];
    assert_eq!(part.media_type.as_deref(), Some("image/svg+xml"));
    assert_eq!(part.filename.as_deref(), Some("chart.svg"));
    let Content::Raw(raw) = &part.content else { panic!("not a file: {part:?}") };
    String::from_utf8(raw.decode()).expect("SVG is text")
}

#[tokio::test]
async fn a_chart_is_a_file_of_its_own() {
    let desk = Desk::new(DataAnalyst);
    let words = json!({"text": "bar chart of total sales by region"});
    let task = desk.send(json!([words, csv(SHOPS)]), json!({})).await;
    let svg = chart(&task);
    assert!(svg.contains("<title id=\"chart-title\">sum of sales by region</title>"), "{svg}");
    assert!(said(&task).contains("- north: sum 40\n- south: sum 20"), "{}", said(&task));

    let skill = json!({"metadata": {"skill_id": "generate_chart"}});
    let task = desk.send(json!([{"text": "sales"}, csv(SHOPS)]), skill).await;
    assert!(chart(&task).contains(">sales by month</title>"));

    let chart_of = json!({"kind": "pie", "y": ["sales"], "title": "Shares", "width": 400});
    let request = json!({"data": {"request": {"chart": chart_of}}});
    let task = desk.send(json!([request, csv(SHOPS)]), json!({})).await;
    assert!(chart(&task).starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"400\""));
}

#[tokio::test]
async fn a_question_is_answered_in_the_same_task() {
    let desk = Desk::new(DataAnalyst);
    let task = desk.send(json!([{"text": "total by region"}, csv(SHOPS)]), json!({})).await;
    let question = "TASK_STATE_INPUT_REQUIRED: Which column shall I add up by `region`? There are \
                    `sales`, `costs`. Or say: all.";
    assert_eq!(said(&task), question);
    let answer = json!({"taskId": task.id});
    let task = desk.send(json!([{"text": "costs"}]), answer).await;
    assert!(said(&task).contains("- north: sum 12\n- south: sum 4"), "{}", said(&task));
}

#[tokio::test]
async fn a_follow_up_uses_the_data_of_the_tasks_it_refers_to() {
    let desk = Desk::new(DataAnalyst);
    let first = desk.send(json!([{"text": "describe"}, csv(SHOPS)]), json!({})).await;
    let refers = |task: &Task| json!({"referenceTaskIds": [task.id]});
    let second = desk.send(json!([{"text": "only north: average sales"}]), refers(&first)).await;
    assert!(said(&second).contains("the values average 20"), "{}", said(&second));
    assert!(said(&second).contains("2 of 3 rows where `region` is north"));
    let words = json!([{"text": "correlate sales and costs"}]);
    let third = desk.send(words, refers(&second)).await;
    assert!(said(&third).contains("sales and costs rise together strongly"), "{}", said(&third));
    let without = desk.say("correlate sales and costs").await;
    assert!(said(&without).contains("What shall I analyze?"), "{}", said(&without));
}

#[tokio::test]
async fn files_are_fetched_by_whoever_may() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/shops.csv?v=2", listener.local_addr().expect("an address"));
    let shelf = Router::new().route("/shops.csv", get(|| async { SHOPS }));
    tokio::spawn(async move { axum::serve(listener, shelf).await });
    let at = |url: &str| json!([{"text": "total costs"}, {"url": url}]);
    let desk = Desk::new(FetchingAnalyst::by(Http::new().expect("trust roots")));
    let task = desk.send(at(&url), json!({})).await;
    assert!(said(&task).contains("sum 16"), "{}", said(&task));
    let task = desk.send(at(&url.replace("shops", "none")), json!({})).await;
    assert!(said(&task).contains("the answer there is 404"), "{}", said(&task));
    let guarded = Desk::new(FetchingAnalyst::new().expect("trust roots"));
    let task = guarded.send(at("http://169.254.169.254/"), json!({})).await;
    let refusal = "TASK_STATE_INPUT_REQUIRED: I cannot fetch http://169.254.169.254/: that address \
                   cannot be fetched from here. Send another address, or the content in the message.";
    assert_eq!(said(&task), refusal);
    let alone = Desk::new(DataAnalyst);
    let task = alone.send(at(&url), json!({})).await;
    assert!(said(&task).contains("I cannot fetch files by their address here"));
}

#[tokio::test]
async fn a_large_table_says_how_far_it_is() {
    let desk = Desk::new(DataAnalyst);
    let rows: String = (0..150_000).map(|n| format!("{},{}\n", n % 7, n % 1_000)).collect();
    let table = format!("a,b\n{rows}");
    let task = desk.send(json!([{"text": "mean"}, csv(table.as_bytes())]), json!({})).await;
    assert!(said(&task).contains("the values average 499.5"), "{}", said(&task));
    let notes = task.history.iter().map(legation_model::Message::text);
    let notes: Vec<String> = notes.filter(|text| text.contains("`shops.csv`: ")).collect();
    assert!(notes.iter().any(|note| note.starts_with("reading `shops.csv`: ")), "{notes:?}");
}
