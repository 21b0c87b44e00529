//! NATS for tests: a server of their own, found in the path or at `LEGATION_TEST_NATS`.
//!
//! Where there is none, tests are skipped, unless `CI` is `true`.

use std::io::{self, Read as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server, which ends with this.
#[derive(Debug)]
pub struct Nats {
    program: PathBuf,
    arguments: Vec<String>,
    port: u16,
    child: Option<Child>,
}

impl Nats {
    /// A server; `None` where the test is to be skipped.
    ///
    /// # Panics
    /// When there is none though there should be one, or it does not start.
    pub fn private() -> Option<Self> {
        Self::with(&[])
    }

    /// One with these further arguments.
    ///
    /// # Panics
    /// As [`Nats::private`].
    #[expect(clippy::print_stderr, reason = "who reads the outcome of the tests shall know")]
    pub fn with(arguments: &[&str]) -> Option<Self> {
        let Some(program) = program() else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "nats-server is not installed");
            eprintln!("skipped: nats-server is not installed");
            return None;
        };
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let mut nats = Self { program, arguments, port, child: None };
        nats.start().unwrap_or_else(|error| panic!("no nats-server: {error}"));
        Some(nats)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The number of its process, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts the server at the same address, and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&mut self) -> io::Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string()]).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn()?);
        let begun = Instant::now();
        loop {
            let greeted = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
                stream.set_read_timeout(Some(Duration::from_secs(1)))?;
                let mut word = [0; 4];
                stream.read_exact(&mut word).map(|()| word == *b"INFO")
            });
            match greeted {
                Ok(true) => return Ok(()),
                _ if begun.elapsed() < Duration::from_secs(10) => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Ok(false) => return Err(io::Error::other("something else answers there")),
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the server at once.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.stop();
    }
}

fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("LEGATION_TEST_NATS") {
        return Some(program.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where distributions put servers is not in everybody's path.
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places.map(|place| place.join("nats-server")).find(|program| program.exists())
}
