//! The product under attack.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::Setup;
use super::grpc::{self, Caller};
use crate::bench::process;
use crate::load::server::{Launch, Server};
use crate::tls::{Material, Stream};

/// How long an answer may take at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plaintext,
    Tls,
    /// Over plaintext, and takes packed messages of gRPC.
    Unpacks,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Tls => "TLS",
            Self::Unpacks => "unpacking",
        }
    }
}

/// A running server, and how it is reached.
pub(super) struct Target {
    pub(super) form: Form,
    pub(super) server: Server,
    pub(super) address: SocketAddr,
    pub(super) token: String,
    material: Option<Material>,
}

impl Target {
    pub(super) async fn start(setup: &Setup, form: Form) -> anyhow::Result<Self> {
        // Each its own, so that none takes up what another left.
        let directory = setup.directory.path().join(form.name());
        std::fs::create_dir_all(&directory)?;
        let mut launch = Launch::of(&setup.program, &setup.token, &directory);
        if form == Form::Unpacks {
            launch.words = vec!["--grpc-gzip".into()];
        }
        let material = (form == Form::Tls).then(|| setup.material.clone());
        if let Some(Material { certificate, key, .. }) = &material {
            launch.words = ["--tls-cert".into(), certificate.into()].into();
            launch.words.extend(["--tls-key".into(), key.into()]);
        }
        let (server, address) = launch.start().await?;
        Ok(Self { form, server, address, token: setup.token.clone(), material })
    }

    /// A connection for one of these protocols of ALPN, which say nothing where there is no TLS.
    pub(super) async fn connect(&self, protocol: &str) -> anyhow::Result<Stream> {
        let connector = self.material.as_ref().map(|material| material.connector(&[protocol]));
        Stream::open(self.address, connector.transpose()?.as_ref()).await
    }

    /// The head of a request of 1.0, but for its end.
    pub(super) fn head(&self, method: &str, path: &str) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             A2A-Version: 1.0\r\nAuthorization: Bearer {}\r\n",
            self.address, self.token
        )
    }

    /// A request of 1.0 with this body.
    pub(super) fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let head = self.head(method, path);
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    /// A JSON-RPC call with these parameters.
    pub(super) fn call(&self, method: &str, params: &str) -> Vec<u8> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        self.request("POST", "/a2a/agents/echo", &body)
    }

    /// Whether it still answers.
    pub(super) async fn is_alive(&self) -> bool {
        let ask = async {
            let mut stream = self.connect("http/1.1").await?;
            stream.write_all(&self.request("GET", "/healthz", "")).await?;
            stream.flush().await?;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await?;
            anyhow::Ok(&answer == b"HTTP/1.1 200")
        };
        matches!(timeout(PATIENCE, ask).await, Ok(Ok(true)))
    }

    /// Whether a call of gRPC is answered.
    pub(super) async fn takes_grpc(&self) -> bool {
        let send = grpc::V1_0.send(&grpc::message(&grpc::part(b"hello")));
        let body = [grpc::prefix(0, send.len()), send].concat();
        let ask = async {
            let mut caller = Caller::open(self).await?;
            let answer = caller.call(grpc::V1_0, "SendMessage", ("identity", body)).await?;
            grpc::status(answer).await
        };
        matches!(timeout(PATIENCE, ask).await, Ok(Ok(status)) if status == "0")
    }

    /// The processor time it has used.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(self.server.id())
    }
}

/// What a message says.
pub(super) fn message(text: &str) -> String {
    format!(
        r#"{{"message":{{"messageId":"m-1","role":"ROLE_USER","parts":[{{"text":"{text}"}}]}}}}"#
    )
}
