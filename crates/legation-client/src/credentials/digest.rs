//! HTTP Digest (RFC 7616), with `qop=auth`: a password that is shown to nobody.
//!
//! The algorithms are SHA-256, SHA-512/256 and, where it is allowed, MD5, each also as `-sess`. MD5 is
//! not in the cryptographic library that everything else uses, so it is the only one from elsewhere.

use aws_lc_rs::digest::{SHA256, SHA512_256, digest};
use http::{HeaderValue, Method};
use parking_lot::Mutex;
use url::Url;

use super::Secret;
use super::challenge::Challenge;

/// A user name and a password.
#[derive(Clone, Debug)]
pub(super) struct Password {
    user: String,
    password: Secret,
    takes_md5: bool,
}

/// The same at one agent, with its last challenge.
#[derive(Debug)]
pub(super) struct Digest {
    known: Password,
    state: Mutex<Option<Round>>,
}

/// A challenge that is being answered.
#[derive(Clone, Debug)]
struct Round {
    algorithm: Algorithm,
    is_session: bool,
    hides_user: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// How many answers it has had.
    count: u32,
    /// The client's nonce, one for each challenge: `-sess` is made with the first.
    own: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha512_256,
    Sha256,
    Md5,
}

/// The best first.
const ALGORITHMS: [(&str, Algorithm); 3] = [
    ("SHA-512-256", Algorithm::Sha512_256),
    ("SHA-256", Algorithm::Sha256),
    ("MD5", Algorithm::Md5),
];

impl Password {
    pub(super) fn new(user: &str, password: Secret, takes_md5: bool) -> Self {
        Self { user: user.to_owned(), password, takes_md5 }
    }
}

impl Digest {
    pub(super) fn new(known: Password) -> Self {
        Self { known, state: Mutex::default() }
    }

    /// Takes a server's refusal up; true when the same request may fare better now. It does not when
    /// the refusal was of an answer: then the name or the password is wrong, unless the server says
    /// that only its own nonce has become stale.
    pub(super) fn learn(&self, challenges: &[Challenge], had_answer: bool) -> bool {
        let mut rounds: Vec<_> = challenges
            .iter()
            .filter_map(|challenge| Some((self.round(challenge)?, challenge)))
            .collect();
        rounds.sort_by_key(|(round, _)| round.algorithm as u8);
        let Some((round, challenge)) = rounds.into_iter().next() else { return false };
        let is_stale = challenge.get("stale").is_some_and(|it| it.eq_ignore_ascii_case("true"));
        *self.state.lock() = Some(round);
        !had_answer || is_stale
    }

    /// The value of `Authorization` for a request; `None` before the first challenge.
    pub(super) fn answer(&self, method: &Method, url: &Url) -> Option<HeaderValue> {
        let round = {
            let mut state = self.state.lock();
            let round = state.as_mut()?;
            round.count += 1;
            round.clone()
        };
        let uri = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let text = round.answer(&self.known.user, self.known.password.reveal(), method, uri);
        let mut value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// What a challenge asks for, when that can be given.
    fn round(&self, challenge: &Challenge) -> Option<Round> {
        if challenge.scheme != "digest" {
            return None;
        }
        let named = challenge.get("algorithm").unwrap_or("MD5").to_ascii_uppercase();
        let (name, is_session) =
            named.strip_suffix("-SESS").map_or((named.as_str(), false), |name| (name, true));
        let (_, algorithm) = ALGORITHMS.into_iter().find(|(known, _)| *known == name)?;
        // Without `qop` nothing that the client chose is in the answer, so whoever plays the server
        // can have prepared for it.
        let qop = challenge.get("qop")?.split(',').any(|it| it.trim() == "auth");
        if !qop || (algorithm == Algorithm::Md5 && !self.known.takes_md5) {
            return None;
        }
        let mut own = [0; 16];
        aws_lc_rs::rand::fill(&mut own).ok()?;
        let text = |name| challenge.get(name).map(str::to_owned);
        Some(Round {
            algorithm,
            is_session,
            hides_user: challenge.get("userhash").is_some_and(|it| it == "true"),
            realm: text("realm")?,
            nonce: text("nonce")?,
            opaque: text("opaque"),
            count: 0,
            own: hex(&own),
        })
    }
}

impl Round {
    fn answer(&self, user: &str, password: &str, method: &Method, uri: &str) -> String {
        let Self { algorithm, realm, nonce, own, count, .. } = self;
        let hash = |text: String| algorithm.hash(text.as_bytes());
        let mut secret = hash(format!("{user}:{realm}:{password}"));
        if self.is_session {
            secret = hash(format!("{secret}:{nonce}:{own}"));
        }
        let request = hash(format!("{method}:{uri}"));
        let response = hash(format!("{secret}:{nonce}:{count:08x}:{own}:auth:{request}"));
        let shown = match self.hides_user {
            true => hash(format!("{user}:{realm}")),
            false => user.to_owned(),
        };
        let name = ALGORITHMS.into_iter().find(|(_, known)| known == algorithm);
        let name = name.map_or("", |(name, _)| name);
        let session = if self.is_session { "-sess" } else { "" };
        let mut text = format!(
            r#"Digest username="{}", realm="{}", nonce="{}", uri="{}", response="{response}""#,
            quoted(&shown),
            quoted(realm),
            quoted(nonce),
            quoted(uri),
        );
        text +=
            &format!(r#", algorithm={name}{session}, qop=auth, nc={count:08x}, cnonce="{own}""#);
        if let Some(opaque) = &self.opaque {
            text += &format!(r#", opaque="{}""#, quoted(opaque));
        }
        if self.hides_user {
            text += ", userhash=true";
        }
        text
    }
}

impl Algorithm {
    fn hash(self, bytes: &[u8]) -> String {
        match self {
            Self::Sha512_256 => hex(digest(&SHA512_256, bytes).as_ref()),
            Self::Sha256 => hex(digest(&SHA256, bytes).as_ref()),
            Self::Md5 => hex(&md5::compute(bytes).0),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn quoted(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7616, 3.9.1 and 3.9.2.
    #[test]
    fn answers_are_those_of_the_standard() {
        const OWN: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let plain = |algorithm| Round {
            algorithm,
            is_session: false,
            hides_user: false,
            realm: "http-auth@example.org".into(),
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v".into(),
            opaque: Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS".into()),
            count: 1,
            own: OWN.into(),
        };
        let cases = [
            (plain(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec"),
            (
                plain(Algorithm::Sha256),
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ];
        for (round, expected) in cases {
            let got = round.answer("Mufasa", "Circle of Life", &Method::GET, "/dir/index.html");
            assert!(got.contains(&format!("response=\"{expected}\"")), "{got}");
            assert!(got.contains("nc=00000001") && got.contains("qop=auth"), "{got}");
        }
    }

    #[test]
    fn the_best_challenge_counts_and_md5_only_where_it_is_allowed() {
        const MD5: &str = r#"Digest realm="r", nonce="m", qop="auth", algorithm=MD5"#;
        const SHA: &str = r#"Digest realm="r", nonce="s", qop="auth-int, auth", algorithm=SHA-256"#;
        const NO_QOP: &str = r#"Digest realm="r", nonce="q", algorithm=SHA-256"#;
        const OLD: &str = r#"Digest realm="r", nonce="o", qop="auth""#;
        const STALE: &str =
            r#"Digest realm="r", nonce="t", qop="auth", algorithm=SHA-256, stale=true"#;
        // The challenges, whether MD5 is allowed, whether an answer was refused; whether it is worth
        // another try, and which nonce is answered then.
        type Case<'c> = (&'c [&'c str], bool, bool, bool, Option<&'c str>);
        let cases: [Case<'_>; 9] = [
            (&[MD5, SHA], false, false, true, Some("s")),
            (&[MD5, SHA], true, false, true, Some("s")),
            (&[MD5], false, false, false, None),
            (&[MD5], true, false, true, Some("m")),
            (&[OLD], true, false, true, Some("o")),
            (&[NO_QOP], true, false, false, None),
            (&["Basic realm=x"], true, false, false, None),
            (&[SHA], false, true, false, Some("s")),
            (&[STALE], false, true, true, Some("t")),
        ];
        for (texts, takes_md5, had_answer, expected, nonce) in cases {
            let value = texts.join(", ").parse().expect("a value");
            let headers = http::HeaderMap::from_iter([(http::header::WWW_AUTHENTICATE, value)]);
            let digest = Digest::new(Password::new("u", "p".into(), takes_md5));
            assert_eq!(digest.learn(&Challenge::all(&headers), had_answer), expected, "{texts:?}");
            let url = Url::parse("http://a/x?y").expect("a URL");
            let answer = digest.answer(&Method::GET, &url);
            let answer = answer.map(|value| value.to_str().expect("text").to_owned());
            let told =
                answer.as_deref().and_then(|text| text.split("nonce=\"").nth(1)?.split('"').next());
            assert_eq!(told, nonce, "{texts:?}");
        }
    }
}
