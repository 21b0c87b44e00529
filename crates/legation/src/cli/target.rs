//! Who is called, with what credential, and the command lines that go on from there.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use legation_client::{
    Authorities, Binding, Client, Credential, Error, Observer, Options, Retry, is_loopback,
};
use url::Url;

use super::exit::Failure;
use super::out::note;
use super::serve::data_dir;
use super::text::quote;

/// The agent to call.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Target {
    /// Address of the agent, such as http://127.0.0.1:8080, or of its card
    url: String,
    /// Bearer token. A server on this machine needs none: its own is found in the data directory
    #[arg(long, env = "LEGATION_TOKEN", hide_env_values = true, help_heading = "Calling")]
    token: Option<String>,
    /// Where a server on this machine keeps its token [default: the user's data directory]
    #[arg(long, value_name = "DIR", env = "LEGATION_DATA_DIR", help_heading = "Calling")]
    data_dir: Option<PathBuf>,
    /// The one protocol binding to use; the card's order decides otherwise
    #[arg(long, value_parser = bindings(), help_heading = "Calling")]
    binding: Option<Binding>,
    /// Another origin that the card may send calls and the token to
    #[arg(long, value_name = "URL", help_heading = "Calling")]
    allow_origin: Vec<Url>,
    /// Authorities in PEM whose certificates are believed, instead of those of the system
    #[arg(long, value_name = "FILE", env = "LEGATION_CA", help_heading = "Calling")]
    ca: Option<PathBuf>,
}

fn bindings() -> impl clap::builder::TypedValueParser<Value = Binding> {
    let names = Binding::ALL.map(Binding::name);
    PossibleValuesParser::new(names)
        .map(|name| Binding::from_name(&name).expect("one of the names just given"))
}

impl Target {
    /// The agent as somebody to talk to.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        let client = Client::discover(&self.url, self.options()?).await;
        client.map_err(|error| self.failure(&error))
    }

    /// The same by one binding, whichever the card names first.
    pub(crate) async fn connect_by(&self, binding: Binding) -> Result<Client, Failure> {
        if self.binding.is_some_and(|pinned| pinned != binding) {
            return Err(Failure::usage(format!("this goes by {} only", binding.name())));
        }
        let options = Options { binding: Some(binding), ..self.options()? };
        let client = Client::discover(&self.url, options).await;
        client.map_err(|error| self.failure(&error))
    }

    /// How calls are made.
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        Ok(Options {
            credentials: self.token()?.into(),
            binding: self.binding,
            trusted_origins: self.allow_origin.clone(),
            authorities: self.authorities()?,
            observer: Observer::new(tell_retry),
            ..Options::default()
        })
    }

    /// The address as it was given.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn is_loopback(&self) -> bool {
        Url::parse(&self.url).is_ok_and(|url| is_loopback(&url))
    }

    pub(crate) fn pins_binding(&self) -> bool {
        self.binding.is_some()
    }

    /// A failed call in words.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        Failure::of_call(error, self)
    }

    /// The command line of another command on the same agent. A token is never part of it: command
    /// lines are kept in histories.
    pub(crate) fn command(&self, command: &[&str], arguments: &[&str]) -> String {
        // As it was called now, so that the line works when it is pasted.
        let program = std::env::args().next().unwrap_or_else(|| "legation".into());
        let mut words: Vec<&str> = vec![&program];
        words.extend(command);
        words.push(&self.url);
        words.extend(arguments);
        if let Some(binding) = self.binding {
            words.extend(["--binding", binding.name()]);
        }
        for origin in &self.allow_origin {
            words.extend(["--allow-origin", origin.as_str()]);
        }
        let files = [
            ("--data-dir", &self.data_dir, "LEGATION_DATA_DIR"),
            ("--ca", &self.ca, "LEGATION_CA"),
        ];
        for (flag, file, variable) in files {
            // From the environment it is there the next time as well.
            let is_flag = std::env::var_os(variable).is_none();
            if let Some(path) = file.as_ref().filter(|_| is_flag).and_then(|path| path.to_str()) {
                words.extend([flag, path]);
            }
        }
        words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
    }

    fn authorities(&self) -> Result<Option<Authorities>, Failure> {
        let Some(file) = self.ca.as_ref().filter(|file| !file.as_os_str().is_empty()) else {
            return Ok(None);
        };
        let name = file.display();
        let pem = std::fs::read(file)
            .map_err(|error| Failure::usage(format!("cannot read `{name}`: {error}")))?;
        let authorities = Authorities::from_pem(&pem);
        let unfit = || Failure::usage(format!("`{name}` holds no certificates in PEM"));
        authorities.map(Some).ok_or_else(unfit)
    }

    fn token(&self) -> Result<Option<Credential>, Failure> {
        const UNFIT: &str = "the token holds characters that no header may hold";
        if let Some(token) = self.token.as_deref().filter(|token| !token.is_empty()) {
            return Credential::bearer(token).map(Some).ok_or_else(|| Failure::usage(UNFIT));
        }
        if !self.is_loopback() {
            return Ok(None);
        }
        let dir = data_dir(self.data_dir.as_ref());
        match dir.token() {
            Ok(token) => {
                let token = token.as_deref().and_then(Credential::bearer);
                Ok(token.map(Credential::only_on_loopback))
            }
            Err(error) => {
                let file = dir.token_file();
                note(&format!("cannot read {}: {error}; calling without it", file.display()));
                Ok(None)
            }
        }
    }
}

/// Tells of an outage once: not at the first try, which mends a mere cut in a moment.
fn tell_retry(retry: &Retry<'_>) {
    if retry.attempt == 2 {
        note(&format!("{}; waiting for it to come back", retry.error));
    }
}
