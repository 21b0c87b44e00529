//! `legation keys`: makes what servers and their callers are trusted by.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use legation::{Signer, SigningAlgorithm};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

use super::exit::{Exit, Failure};
use super::out::{Out, Style};
use super::text::quote;
use super::{calling, tokens};

const DAY: Duration = Duration::from_secs(86_400);

/// What to make.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a certificate for trying TLS out, which is its own authority
    Tls(Tls),
    /// Make an integration token, by which a program calls; it is shown once
    Create(tokens::Create),
    /// List integration tokens, with their last use
    List(tokens::List),
    /// Take an integration token back; servers refuse it within 5 s
    Revoke(tokens::Revoke),
    /// Replace an integration token by another of the same name, id and rights
    Rotate(tokens::Rotate),
    /// Make a key that signs agent cards
    Signing(Signing),
}

/// The certificate that is wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct Tls {
    /// Host names and addresses that the certificate is for [default: localhost 127.0.0.1 ::1]
    #[arg(
        default_values = ["localhost", "127.0.0.1", "::1"],
        value_name = "NAME",
        hide_default_value = true
    )]
    names: Vec<String>,
    /// File for the certificate
    #[arg(long, value_name = "FILE", default_value = "tls-cert.pem")]
    cert: PathBuf,
    /// File for its key, which only its owner can read
    #[arg(long, value_name = "FILE", default_value = "tls-key.pem")]
    key: PathBuf,
    /// How long it is valid
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=825))]
    days: u32,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

/// The key that is wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct Signing {
    /// By which it signs
    #[arg(long, default_value = "EdDSA", value_parser = algorithms())]
    algorithm: SigningAlgorithm,
    /// The name (`kid`) by which signatures say that it was this key [default: its thumbprint]
    #[arg(long, value_name = "NAME")]
    key_id: Option<String>,
    /// File for the key, which only its owner can read
    #[arg(long, value_name = "FILE", default_value = "signing-key.pem")]
    key: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

fn algorithms() -> impl clap::builder::TypedValueParser<Value = SigningAlgorithm> {
    let names = SigningAlgorithm::ALL.map(SigningAlgorithm::name);
    PossibleValuesParser::new(names)
        .map(|name| SigningAlgorithm::of_name(&name).expect("one of the names just given"))
}

impl Signing {
    fn run(self) -> Result<Exit, Failure> {
        let Self { algorithm, key_id, key, force } = self;
        let name = quote(&key.display().to_string()).to_string();
        if key.exists() && !force {
            let text = format!("`{}` is there already; --force writes over it", key.display());
            return Err(Failure::usage(text));
        }
        let pem = Signer::generate(algorithm);
        let signer = Signer::from_pem(pem.as_bytes(), key_id, Some(algorithm))
            .expect("a key that was just made for the algorithm");
        write(&key, &pem, 0o600)?;
        let (kid, print) = (signer.name(), signer.public().thumbprint());
        let mut out = Out::new();
        out.line(Style::Plain, &format!("wrote {name}, {}, thumbprint {print}", algorithm.name()))?;
        out.line(Style::Plain, "\nSign the cards with it:\n")?;
        out.line(Style::Plain, "  server:")?;
        out.line(Style::Plain, "    signing:")?;
        let words = [("key", key.display().to_string()), ("key_id", kid.to_owned())];
        let [file, id] = words.map(|(word, text)| format!("{word}: {}", serde_json::json!(text)));
        let keys = format!("      - {{ {file}, {id}, algorithm: {} }}", algorithm.name());
        out.line(Style::Plain, &keys)?;
        out.line(Style::Plain, "\nWhoever has the thumbprint from you can check the cards:\n")?;
        let pin = quote(&format!("{kid}={print}")).to_string();
        let check = format!("  legation card --verify --pin {pin} https://agents.example.com");
        out.line(Style::Plain, &check)?;
        Ok(Exit::Done)
    }
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Tls(tls) => tls.run(),
            Self::Create(create) => calling(create.run()),
            Self::List(list) => calling(list.run()),
            Self::Revoke(revoke) => calling(revoke.run()),
            Self::Rotate(rotate) => calling(rotate.run()),
            Self::Signing(signing) => signing.run(),
        }
    }
}

impl Tls {
    fn run(self) -> Result<Exit, Failure> {
        let files = [&self.cert, &self.key];
        if place(&self.cert) == place(&self.key) {
            let text = format!("`{}` cannot be both --cert and --key", self.cert.display());
            return Err(Failure::usage(text));
        }
        if let Some(file) = files.iter().find(|file| file.exists() && !self.force) {
            let text = format!("`{}` is there already; --force writes over it", file.display());
            return Err(Failure::usage(text));
        }
        let (certificate, key) = self.make().map_err(|error| {
            Failure::usage(format!("cannot make a certificate for these names: {error}"))
        })?;
        write(&self.key, &key, 0o600)?;
        write(&self.cert, &certificate, 0o644)?;
        let name = |file: &Path| quote(&file.display().to_string()).to_string();
        let (cert, key) = (name(&self.cert), name(&self.key));
        let mut out = Out::new();
        let of = self.names.join(", ");
        out.line(Style::Plain, &format!("wrote {cert} and {key}, for {of}, {} days", self.days))?;
        out.line(Style::Plain, "\nServe with them, by flags or in the configuration:\n")?;
        out.line(Style::Plain, &format!("  legation serve --tls-cert {cert} --tls-key {key}\n"))?;
        out.line(Style::Plain, "  server:")?;
        out.line(Style::Plain, &format!("    tls: {{ certificate: {cert}, key: {key} }}"))?;
        out.line(
            Style::Plain,
            "\nNobody but you knows this certificate, so callers are given it:\n",
        )?;
        let call = format!("  legation send --ca {cert} https://localhost:8080 \"Hello\"");
        out.line(Style::Plain, &call)?;
        Ok(Exit::Done)
    }

    /// A certificate and its key, both in PEM.
    fn make(&self) -> Result<(String, String), rcgen::Error> {
        let mut params = CertificateParams::new(self.names.clone())?;
        let first = self.names.first().map_or("legation", String::as_str);
        params
            .distinguished_name
            .push(DnType::CommonName, format!("{first} (Legation, for trying out)"));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let now = SystemTime::now();
        // Clocks differ a little.
        params.not_before = (now - Duration::from_secs(3600)).into();
        params.not_after = (now + DAY * self.days).into();
        let key = KeyPair::generate()?;
        Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
    }
}

/// Where a file is or will be, whichever way its path is written.
fn place(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(directory)), Some(name)) => directory.join(name),
        _ => path,
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        // An older file keeps its mode when it is opened, so it goes first.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| Failure::usage(format!("cannot write `{}`: {error}", path.display())))
}
