//! The authorization code flow for programs on a person's machine (RFC 8252): the browser comes back
//! to a port of this machine, with a code that is of use to nobody else (PKCE, RFC 7636).

use std::time::Duration;

use super::metadata::Server;
use super::session::{Session, Tokens};
use super::{Fault, Visit, ask};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use legation_net::Http;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long a person has.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a browser has for its question, and how long that is.
const QUESTION: Duration = Duration::from_secs(5);
const LONGEST: u64 = 8 << 10;
/// Browsers open connections that they may need later.
const AT_ONCE: usize = 32;
const PATH: &str = "/callback";

pub(super) async fn log_in(
    session: &Session,
    http: &Http,
    server: &Server,
    visit: &(dyn Fn(Visit<'_>) + Send + Sync),
) -> Result<Tokens, Fault> {
    let mut url = session.needed(&server.endpoints.authorization, "authorization")?.clone();
    ask::check(&url)?;
    let no_port =
        |error: std::io::Error| Fault::System(format!("no port on this machine: {error}"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(no_port)?;
    let address = listener.local_addr().map_err(no_port)?;
    let redirect = format!("http://{address}{PATH}");
    let (state, verifier) = (ask::random()?, ask::random()?);
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &session.client().client_id)
        .append_pair("redirect_uri", &redirect)
        .append_pair("state", &state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .extend_pairs(session.about());
    visit(Visit { url: &url, code: None });
    let expected = Expected { state: &state, server };
    let code = tokio::time::timeout(PATIENCE, wait(&listener, &expected)).await;
    let code = code.map_err(|_| Fault::Late(PATIENCE))??;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", &*redirect),
        ("code_verifier", &*verifier),
    ];
    let issued = session.issued(http, server, &form).await?;
    issued.map_err(|refusal| refusal.into_fault(&server.endpoints.token))
}

/// What the browser has to bring back.
struct Expected<'e> {
    state: &'e str,
    server: &'e Server,
}

impl Expected<'_> {
    /// The code in a target, or why there is none; nothing when it is not about this login, so that
    /// nobody but the authorization server can end it.
    fn judge(&self, target: &str) -> Option<Result<String, Fault>> {
        let query = target.strip_prefix(PATH)?.strip_prefix('?')?;
        let values = |name: &str| -> Vec<String> {
            let pairs = form_urlencoded::parse(query.as_bytes());
            pairs.filter(|(known, _)| known == name).map(|(_, value)| value.into_owned()).collect()
        };
        let one = |name: &str| <[String; 1]>::try_from(values(name)).ok().map(|[value]| value);
        let state = one("state")?;
        let same = aws_lc_rs::constant_time::verify_slices_are_equal;
        same(state.as_bytes(), self.state.as_bytes()).ok()?;
        let url = &self.server.endpoints.token;
        // A code of one server must not be taken to another (RFC 9207).
        let issuer = one("iss");
        let is_other = match (&issuer, &self.server.issuer) {
            (Some(told), Some(known)) => told != known,
            // Nobody knows how it writes itself.
            (Some(_), None) => false,
            (None, _) => self.server.names_itself,
        };
        if is_other {
            return Some(Err(Fault::refused(url, "the answer is not of this issuer")));
        }
        Some(match (one("error"), one("code")) {
            (Some(error), _) => Err(Fault::refused(url, error)),
            (None, Some(code)) => Ok(code),
            (None, None) => Err(Fault::refused(url, "an answer without a code")),
        })
    }
}

/// Waits for the browser.
async fn wait(listener: &TcpListener, expected: &Expected<'_>) -> Result<String, Fault> {
    let mut asking = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if asking.len() < AT_ONCE => {
                if let Ok((socket, _)) = accepted {
                    asking.spawn(async move { tokio::time::timeout(QUESTION, target(socket)).await });
                }
            }
            Some(asked) = asking.join_next() => {
                let Ok(Ok(Some((target, socket)))) = asked else { continue };
                let outcome = expected.judge(&target);
                answer(socket, outcome.as_ref()).await;
                if let Some(outcome) = outcome {
                    return outcome;
                }
            }
        }
    }
}

/// What a browser asks for.
async fn target(socket: TcpStream) -> Option<(String, TcpStream)> {
    let mut reader = BufReader::new(socket).take(LONGEST);
    let mut first = String::new();
    reader.read_line(&mut first).await.ok()?;
    let mut line = String::new();
    // An answer before the end of the question would be lost with the connection.
    while reader.read_line(&mut line).await.ok()? > 2 {
        line.clear();
    }
    let target = first.strip_prefix("GET ")?.split(' ').next()?.to_owned();
    Some((target, reader.into_inner().into_inner()))
}

async fn answer(mut socket: TcpStream, outcome: Option<&Result<String, Fault>>) {
    let (status, text) = match outcome {
        Some(Ok(_)) => ("200 OK", "You are logged in. You can close this page."),
        Some(Err(_)) => ("400 Bad Request", "The login failed. The terminal says why."),
        None => ("404 Not Found", "There is nothing here."),
    };
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{text}"
    );
    // Who closed the page already knows enough.
    let _ = tokio::time::timeout(QUESTION, socket.write_all(answer.as_bytes())).await;
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::credentials::oauth::Endpoints;

    #[test]
    fn only_the_answer_to_this_login_ends_it() {
        let token = Url::parse("https://as.example/t").expect("a URL");
        let server = |issuer: Option<&str>, names_itself| Server {
            endpoints: Endpoints { token: token.clone(), authorization: None, device: None },
            issuer: issuer.map(str::to_owned),
            names_itself,
            secret_in_form: false,
            revocation: None,
        };
        let quiet = server(Some("https://as.example"), false);
        let named = server(Some("https://as.example"), true);
        let unknown = server(None, false);
        const ISS: &str = "iss=https%3A%2F%2Fas.example";
        let cases = [
            (&quiet, "/callback?code=c&state=s".to_owned(), "code c"),
            (&quiet, format!("/callback?code=c&state=s&{ISS}"), "code c"),
            (&named, format!("/callback?code=c&state=s&{ISS}"), "code c"),
            (&unknown, format!("/callback?code=c&state=s&{ISS}"), "code c"),
            (&named, "/callback?code=c&state=s".into(), "not of this issuer"),
            (
                &quiet,
                "/callback?code=c&state=s&iss=https%3A%2F%2Fevil".into(),
                "not of this issuer",
            ),
            (&quiet, "/callback?error=access_denied&state=s".into(), "access_denied"),
            (&quiet, "/callback?state=s".into(), "without a code"),
            (&quiet, "/callback?code=c&code=d&state=s".into(), "without a code"),
            // Somebody else's, and noise.
            (&quiet, "/callback?code=c&state=t".into(), "nothing"),
            (&quiet, "/callback?code=c".into(), "nothing"),
            (&quiet, "/callback?code=c&state=s&state=s".into(), "nothing"),
            (&quiet, "/callback?error=access_denied".into(), "nothing"),
            (&quiet, "/favicon.ico".into(), "nothing"),
            (&quiet, "/callback2?code=c&state=s".into(), "nothing"),
            (&quiet, "/".into(), "nothing"),
        ];
        for (server, target, expected) in cases {
            let told = match (Expected { state: "s", server }.judge(&target)) {
                Some(Ok(code)) => format!("code {code}"),
                Some(Err(fault)) => fault.to_string(),
                None => "nothing".into(),
            };
            assert!(told.contains(expected), "{target}: {told}");
        }
    }
}
