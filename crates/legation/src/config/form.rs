//! The forms of single values: how each is written, read and shown.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use http::HeaderName;
use legation::{Binding, Interface, Version};
use serde_json::{Value as Json, json};
use url::Url;

use super::reader::{Text, is_variable};
use super::units::{duration, read_size, read_time, size};
use super::words;

/// Makes a value of what stands there, if it is one.
type Read<T> = Box<dyn Fn(&Text) -> Option<T>>;

/// How a value is written.
pub(crate) struct Form<T> {
    /// What is expected, as it follows that word.
    pub(crate) expects: String,
    /// The words it may be, where there are only some.
    pub(crate) words: Vec<&'static str>,
    pub(crate) read: Read<T>,
    pub(crate) show: Box<dyn Fn(&T) -> Json>,
    /// JSON Schema.
    pub(crate) schema: Json,
    /// Whether nobody may see it.
    pub(crate) is_secret: bool,
}

impl<T> Form<T> {
    fn new(
        expects: &str,
        schema: Json,
        read: impl Fn(&Text) -> Option<T> + 'static,
        show: impl Fn(&T) -> Json + 'static,
    ) -> Self {
        let (read, show) = (Box::new(read), Box::new(show));
        Self { expects: expects.into(), words: Vec::new(), read, show, schema, is_secret: false }
    }
}

impl Form<String> {
    /// The same form for values that nobody may see.
    pub(crate) fn secret(self) -> Form<Secret> {
        let Self { expects, words, read, show, schema, .. } = self;
        let read = Box::new(move |text: &Text| read(text).map(Secret));
        let show = Box::new(move |secret: &Secret| show(&secret.0));
        Form { expects, words, read, show, schema, is_secret: true }
    }
}

/// Text that nobody may see: it does not show itself in logs.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text, for the one place that needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl Secret {
    /// The address of a PostgreSQL database.
    pub(crate) fn of_database(text: &str) -> Option<Self> {
        is_postgres(text).then(|| Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// One of these words.
pub(crate) fn choice<T: Copy + PartialEq>(table: &'static [(&'static str, T)]) -> Form<T> {
    let names: Vec<_> = table.iter().map(|(name, _)| *name).collect();
    let expects = words::any_of(names.iter().copied());
    let find = |text: &Text| {
        let known = table.iter().find(|(name, _)| *name == text.text);
        known.map(|(_, value)| *value)
    };
    let show = |value: &T| {
        table.iter().find(|(_, known)| known == value).map_or(Json::Null, |(name, _)| json!(name))
    };
    Form { words: names.clone(), ..Form::new(&expects, json!({ "enum": names }), find, show) }
}

/// `true` or `false`.
pub(crate) fn flag() -> Form<bool> {
    Form::new("`true` or `false`", json!({"type": "boolean"}), Text::flag, |flag| json!(flag))
}

/// A switch that stays where it is until something exists.
pub(crate) fn fixed(to: bool, because: &str) -> Form<bool> {
    let expects = format!("`{to}`, because {because}");
    let read = move |text: &Text| text.flag().filter(|flag| *flag == to);
    Form::new(&expects, json!({ "const": to }), read, |flag| json!(flag))
}

/// Text with something in it.
pub(crate) fn text() -> Form<String> {
    text_that("text", json!({"type": "string", "minLength": 1}), |_| true)
}

/// Text that may be empty.
pub(crate) fn any_text() -> Form<String> {
    let read = |text: &Text| text.text().map(str::to_owned);
    Form::new("text", json!({"type": "string"}), read, |text| json!(text))
}

fn text_that(expects: &str, schema: Json, is_good: fn(&str) -> bool) -> Form<String> {
    let read = move |text: &Text| {
        let text = text.text()?;
        (!text.trim().is_empty() && is_good(text)).then(|| text.to_owned())
    };
    Form::new(expects, schema, read, |text| json!(text))
}

/// A token that cannot be guessed.
pub(crate) fn token() -> Form<Secret> {
    let schema = json!({"type": "string"});
    let expects = "a token of 32 bytes or more in one word; `openssl rand -hex 32` makes one";
    let is_good =
        |text: &str| text.len() >= 32 && text.bytes().all(|byte| (33..127).contains(&byte));
    text_that(expects, schema, is_good).secret()
}

/// The name of an environment variable.
pub(crate) fn variable() -> Form<String> {
    let schema = json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"});
    text_that("the name of an environment variable", schema, is_variable)
}

/// The name of an HTTP header would be a key; this is its value.
pub(crate) fn header_value() -> Form<Secret> {
    let is_good = |text: &str| text.bytes().all(|byte| byte == b'\t' || (32..127).contains(&byte));
    text_that("printable text in one line", json!({"type": "string"}), is_good).secret()
}

/// The name of an HTTP header, a parameter or a cookie.
pub(crate) fn name_of_secret() -> Form<String> {
    let expects = "a name of letters, digits, `-`, `_` and `.`";
    text_that(expects, json!({"type": "string"}), |text| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    })
}

/// Words of a command line, split as a shell does it but by no shell.
pub(crate) fn words_of_command() -> Form<Vec<String>> {
    let read = |text: &Text| shlex::split(text.text()?).filter(|words| !words.is_empty());
    let show = |words: &Vec<String>| json!(words);
    let expects = "a program with its arguments, such as `python3 agent.py`";
    Form::new(expects, json!({"type": "string", "minLength": 1}), read, show)
}

/// A path.
pub(crate) fn path() -> Form<String> {
    let is_good = |text: &str| !text.contains('\0');
    text_that("a path", json!({"type": "string", "minLength": 1}), is_good)
}

/// Where the store is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Address {
    /// In a directory.
    Sqlite(String),
    /// In a database.
    Postgres(Secret),
    /// In memory, until the server ends.
    Memory,
}

const STORES: &str =
    "`sqlite:` with the path of a directory, `postgres://` with a database, or `memory`";

/// The store that is nowhere else.
pub(crate) const MEMORY: &str = "memory";

impl Address {
    /// Reads it.
    ///
    /// # Errors
    /// What is expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(url) = Secret::of_database(text) {
            return Ok(Self::Postgres(url));
        }
        if text == MEMORY {
            return Ok(Self::Memory);
        }
        let path = text.strip_prefix("sqlite:").filter(|path| !path.trim().is_empty());
        path.map(|path| Self::Sqlite(path.to_owned())).ok_or_else(|| format!("expected {STORES}"))
    }
}

/// Where the store is, as an address. It may hold a password.
pub(crate) fn store() -> Form<Address> {
    let read = |text: &Text| Address::parse(text.text()?).ok();
    let schema = json!({"type": "string", "pattern": "^(memory$|(sqlite:|postgres(ql)?://).)"});
    let show = |address: &Address| match address {
        Address::Sqlite(path) => json!(format!("sqlite:{path}")),
        Address::Postgres(_) => json!("postgres:"),
        Address::Memory => json!(MEMORY),
    };
    Form { is_secret: true, ..Form::new(STORES, schema, read, show) }
}

/// The address of a PostgreSQL database.
pub(crate) fn postgres() -> Form<Secret> {
    let schema = json!({"type": "string", "pattern": "^postgres(ql)?://."});
    let expects = "a database such as `postgres://user@host/name`";
    text_that(expects, schema, is_postgres).secret()
}

fn is_postgres(text: &str) -> bool {
    ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.trim().is_empty()))
}

/// The address of a server of NATS.
pub(crate) fn nats() -> Form<Secret> {
    let is_good = |text: &str| {
        let is_nats = |url: Url| matches!(url.scheme(), "nats" | "tls") && url.has_host();
        Url::parse(text).is_ok_and(is_nats)
    };
    let schema = json!({"type": "string", "pattern": "^((nats|tls)://.|.*\\$\\{)"});
    text_that("a server such as `nats://host:4222` or `tls://host:4222`", schema, is_good).secret()
}

/// The name of a schema of PostgreSQL.
pub(crate) fn postgres_schema() -> Form<String> {
    let is_good = |text: &str| {
        let first = text.as_bytes().first();
        first.is_some_and(|first| !first.is_ascii_digit())
            && text.len() <= 63
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    let schema = json!({"type": "string", "pattern": "^[a-z_][a-z0-9_]{0,62}$"});
    text_that("a name of lower-case letters, digits and `_`", schema, is_good)
}

/// An address to listen on.
pub(crate) fn address() -> Form<SocketAddr> {
    let read = |text: &Text| text.text()?.parse().ok();
    let expects = "an address and a port such as `127.0.0.1:8080`";
    Form::new(expects, json!({"type": "string"}), read, |address: &SocketAddr| {
        json!(address.to_string())
    })
}

/// An address on the web.
pub(crate) fn url() -> Form<String> {
    let is_good = |text: &str| {
        Url::parse(text).is_ok_and(|url| {
            let is_open = url.username().is_empty() && url.password().is_none();
            matches!(url.scheme(), "http" | "https") && url.has_host() && is_open
        })
    };
    let schema = json!({"type": "string", "pattern": "^(https?://|.*\\$\\{)"});
    let expects = "an address such as `https://agents.example.com`, without a password in it";
    text_that(expects, schema, is_good)
}

/// Where a page in a browser comes from, as browsers say it.
pub(crate) fn origin() -> Form<String> {
    let is_good = |text: &str| {
        let is_web = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
        is_web && Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
    };
    let schema = json!({"type": "string", "pattern": "^(https?://[^/*]+$|.*\\$\\{)"});
    text_that("an origin such as `https://console.example.com`, nothing behind it", schema, is_good)
}

/// The name of an HTTP header.
pub(crate) fn header_name() -> Form<HeaderName> {
    let read = |text: &Text| text.text()?.parse().ok();
    let show = |name: &HeaderName| json!(name.as_str());
    let expects = "the name of a header such as `Authorization`";
    Form::new(expects, json!({"type": "string", "minLength": 1}), read, show)
}

/// A host name, without a port.
pub(crate) fn host() -> Form<String> {
    let is_good = |text: &str| {
        let is_address = text.starts_with('[') && text.ends_with(']');
        let is_name = !text.contains([':', '/', '@', '*', '?', '#']);
        (is_address || is_name) && url::Host::parse(text).is_ok()
    };
    text_that("a host name without a port", json!({"type": "string"}), is_good)
}

/// An address or a range of addresses: those of proxies, or those that are called.
pub(crate) fn network<T: FromStr + Display + 'static>() -> Form<T> {
    let read = |text: &Text| text.text()?.parse().ok();
    let expects = "an address or a network such as `10.0.0.0/8` or `fd00::/8`";
    Form::new(expects, json!({"type": "string"}), read, |network: &T| json!(network.to_string()))
}

/// Ports, the first and the last.
pub(crate) fn ports() -> Form<RangeInclusive<u16>> {
    let read = |text: &Text| {
        let (first, last) = text.text()?.split_once('-')?;
        let port = |text: &str| text.trim().parse().ok().filter(|port| *port > 0);
        let range = port(first)?..=port(last)?;
        (!range.is_empty()).then_some(range)
    };
    let schema = json!({"type": "string", "pattern": "^[0-9]+ *- *[0-9]+$"});
    Form::new("ports such as `50051-50060`", schema, read, |ports: &RangeInclusive<u16>| {
        json!(format!("{}-{}", ports.start(), ports.end()))
    })
}

/// A media type, or a range of these.
pub(crate) fn media_type() -> Form<String> {
    let is_good = |text: &str| {
        let is_name = |name: &str| {
            let is_letter =
                |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-*".contains(&byte);
            !name.is_empty() && name.bytes().all(is_letter)
        };
        text.split_once('/').is_some_and(|(kind, rest)| is_name(kind) && is_name(rest))
    };
    let expects = "a media type such as `text/plain` or `image/*`";
    text_that(expects, json!({"type": "string", "pattern": "/"}), is_good)
}

/// A way to call: a binding and a version.
pub(crate) fn interface() -> Form<Interface> {
    let read = |text: &Text| {
        let (binding, version) = text.text()?.split_once(' ')?;
        let binding = Binding::ALL.into_iter().find(|known| known.name() == binding)?;
        let served = Version::SERVED.into_iter().find(|known| known.name() == version);
        served.map(|version| Interface { binding, version }).filter(is_there)
    };
    let show = |interface: &Interface| {
        json!(format!("{} {}", interface.binding.name(), interface.version.name()))
    };
    let names = || {
        Binding::ALL.into_iter().flat_map(|binding| {
            let all = Version::SERVED.map(|version| Interface { binding, version });
            all.into_iter().filter(is_there).map(|known| show(&known))
        })
    };
    let schema = json!({ "enum": names().collect::<Vec<_>>() });
    Form::new(
        "a binding and a version such as `JSONRPC 1.0` or `HTTP+JSON 0.3`",
        schema,
        read,
        show,
    )
}

/// Whether a version has a binding: gRPC came with 0.3.
fn is_there(interface: &Interface) -> bool {
    interface.binding != Binding::Grpc || matches!(interface.version, Version::V1_0 | Version::V0_3)
}

/// A version of the protocol; a patch number is ignored.
pub(crate) fn version() -> Form<Version> {
    let read = |text: &Text| {
        let is = |version: &Version| {
            let rest = text.text.strip_prefix(version.name());
            rest.is_some_and(|rest| {
                rest.is_empty()
                    || rest.strip_prefix('.').is_some_and(|patch| {
                        !patch.is_empty() && patch.bytes().all(|digit| digit.is_ascii_digit())
                    })
            })
        };
        Version::SERVED.into_iter().find(is)
    };
    let names = words::any_of(Version::SERVED.iter().map(|version| version.name()));
    let schema = json!({"type": ["string", "number"]});
    Form::new(&names, schema, read, |version| json!(version.name()))
}

/// A number that counts something of which there must be one.
pub(crate) fn count<T: TryFrom<u64> + Copy + TryInto<u64> + 'static>() -> Form<T> {
    whole(1, "a whole number from 1")
}

/// A number that counts something of which there are some, but not too many.
pub(crate) fn count_to<T: TryFrom<u64> + Copy + TryInto<u64> + 'static>(most: u64) -> Form<T> {
    whole_to(1, most, &format!("a whole number from 1 to {most}"))
}

/// A number that counts something of which there may be none.
pub(crate) fn count_from_none<T: TryFrom<u64> + Copy + TryInto<u64> + 'static>() -> Form<T> {
    whole(0, "a whole number from 0")
}

fn whole<T: TryFrom<u64> + Copy + TryInto<u64> + 'static>(least: u64, expects: &str) -> Form<T> {
    whole_to(least, MOST, expects)
}

fn whole_to<T: TryFrom<u64> + Copy + TryInto<u64> + 'static>(
    least: u64,
    most: u64,
    expects: &str,
) -> Form<T> {
    let read = move |text: &Text| {
        let number = text.number().filter(|number| (least..=most).contains(number))?;
        number.try_into().ok()
    };
    let mut schema = json!({"type": "integer", "minimum": least});
    if most < MOST {
        schema["maximum"] = json!(most);
    }
    Form::new(expects, schema, read, |number: &T| json!((*number).try_into().unwrap_or_default()))
}

/// The most of anything: far beyond use, and far from where sums overflow.
const MOST: u64 = 1 << 48;

/// A number of bytes.
pub(crate) fn bytes<T: TryFrom<u64> + Copy + TryInto<u64> + 'static>() -> Form<T> {
    bytes_from(1, MOST, "a size such as `64KiB` or `1GiB`")
}

/// A number of bytes that HTTP's heads fit into.
pub(crate) fn buffer<T: TryFrom<u64> + Copy + TryInto<u64> + 'static>() -> Form<T> {
    bytes_from(8 << 10, MOST, "a size such as `64KiB`, at least `8KiB`")
}

/// A number of bytes that are held in memory at once, for each of many.
pub(crate) fn held<T: TryFrom<u64> + Copy + TryInto<u64> + 'static>() -> Form<T> {
    bytes_from(4 << 10, 64 << 20, "a size such as `1MiB`, from `4KiB` to `64MiB`")
}

/// A number of bytes that HTTP/2 lets a frame's payload have (RFC 9113 6.5.2).
pub(crate) fn frame() -> Form<u32> {
    bytes_from(16 << 10, (1 << 24) - 1, "a size from `16KiB` to `16777215B`")
}

/// A number of bytes that HTTP/2 lets a window have (RFC 9113 6.9.1).
pub(crate) fn window() -> Form<u32> {
    bytes_from(1, (1 << 31) - 1, "a size such as `256KiB`, below `2GiB`")
}

fn bytes_from<T: TryFrom<u64> + Copy + TryInto<u64> + 'static>(
    least: u64,
    most: u64,
    expects: &str,
) -> Form<T> {
    let read = move |text: &Text| {
        let bytes = text.number().or_else(|| read_size(&text.text))?;
        Some(bytes).filter(|bytes| (least..=most).contains(bytes))?.try_into().ok()
    };
    let pattern = r"^[0-9]+ ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$|\$\{";
    let schema = json!({"type": ["string", "integer"], "pattern": pattern, "minimum": least});
    let show = |bytes: &T| json!(size((*bytes).try_into().unwrap_or_default()));
    Form::new(expects, schema, read, show)
}

/// A hundred years.
const LONGEST: u64 = 36_500 * 86_400_000;

/// A time that passes.
pub(crate) fn time() -> Form<Duration> {
    time_from(1, "a time such as `30s`, `5m`, `1h` or `30d`")
}

/// A time of which less than a second is nothing.
pub(crate) fn time_in_seconds() -> Form<Duration> {
    time_from(1_000, "a time from `1s`, such as `30s`")
}

/// A time that may be none at all.
pub(crate) fn time_from_none() -> Form<Duration> {
    time_from(0, "a time such as `0s`, `30s` or `5m`")
}

fn time_from(least: u64, expects: &str) -> Form<Duration> {
    let read = move |text: &Text| {
        let millis = read_time(text.text()?)?;
        (least..=LONGEST).contains(&millis).then(|| Duration::from_millis(millis))
    };
    let pattern = r"^([0-9]+(ms|s|m|h|d))+$|\$\{";
    let schema = json!({"type": "string", "pattern": pattern});
    Form::new(expects, schema, read, |time| json!(duration(*time)))
}
