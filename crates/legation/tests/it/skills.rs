//! Skills for some callers, as the documentation shows them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use crate::user::{Serving, legation};

const READER: &str = "reader-has-a-key-of-thirty-two-bytes-or-more";
const ARTIST: &str = "artist-has-a-key-of-thirty-two-bytes-or-more";

/// The file that the page on identity shows.
fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/identity.md");
    let page = fs::read_to_string(path).expect("the page on identity");
    let begin = "<!-- example: served by a test of legation -->\n```yaml\n";
    let (_, rest) = page.split_once(begin).expect("the example");
    let (example, _) = rest.split_once("```\n<!-- end of example -->").expect("its end");
    example.to_owned()
}

/// Sends a request and gives the whole answer.
fn exchange(url: &str, key: &str, start: &str, body: &str) -> String {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("a listening server");
    let head = format!(
        "{start} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\na2a-version: 1.0\r\n\
         content-type: application/json\r\nx-api-key: {key}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).expect("a reading server");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn the_example_shows_and_gives_each_caller_what_it_may_have() {
    let home = tempfile::tempdir().expect("a home");
    let file = home.path().join("legation.yaml");
    fs::write(&file, example()).expect("writable");
    let words = ["serve", "--listen", "127.0.0.1:0", file.to_str().expect("a path in UTF-8")];
    let mut command = legation(home.path(), &words);
    let serving = Serving::of(command.env("READER_KEY", READER).env("ARTIST_KEY", ARTIST));
    let public = exchange(&serving.url, "", "GET /.well-known/agent-card.json", "");
    assert!(public.contains("analyze_csv") && !public.contains("generate_chart"), "{public}");
    assert!(public.contains(r#""extendedAgentCard":true"#), "{public}");
    for (key, is_shown) in [(READER, false), (ARTIST, true)] {
        let card = exchange(&serving.url, key, "GET /extendedAgentCard", "");
        assert!(card.starts_with("HTTP/1.1 200"), "{card}");
        assert_eq!(card.contains("generate_chart"), is_shown, "{card}");
    }
    let send = |key: &str, text: &str, skill: &str| {
        let metadata = match skill {
            "" => String::new(),
            skill => format!(r#","metadata":{{"skillId":"{skill}"}}"#),
        };
        let body = format!(
            r#"{{"message":{{"messageId":"{text}{skill}","role":"ROLE_USER","parts":[{{"text":"{text}"}}]{metadata}}}}}"#
        );
        let answer = exchange(&serving.url, key, "POST /message:send", &body);
        let status: String = answer.chars().skip("HTTP/1.1 ".len()).take(3).collect();
        (status, answer.contains("image/svg"))
    };
    let cases = [
        (READER, "mean of 1, 2, 3", "", "200", false),
        (READER, "mean of 1, 2, 3", "analyze_csv", "200", false),
        (READER, "bar chart of 1, 2, 3", "", "403", false),
        (READER, "bar chart of 1, 2, 3", "analyze_csv", "403", false),
        (READER, "mean of 1, 2, 3", "generate_chart", "400", false),
        (READER, "mean of 1, 2, 3", "nothing", "400", false),
        (ARTIST, "bar chart of 1, 2, 3", "", "200", true),
        (ARTIST, "1, 2, 3", "generate_chart", "200", true),
    ];
    for (key, text, skill, status, is_drawn) in cases {
        let got = send(key, text, skill);
        assert_eq!(got, (status.to_owned(), is_drawn), "{key} {text} {skill}");
    }
}
