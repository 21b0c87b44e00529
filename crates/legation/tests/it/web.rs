//! A web server of a few lines.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::user::text;

/// A server of a few lines: what comes in is answered by a function, and remembered.
pub(crate) struct Web {
    pub(crate) base: String,
    /// The heads of the requests so far.
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
}

pub(crate) type Answer = (u16, String);

impl Web {
    pub(crate) fn start(
        answer: impl Fn(&str, &str, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let (log, own) = (Arc::clone(&heads), base.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.trim().parse().ok())?
                });
                let mut body = vec![0; length.unwrap_or(0)];
                let _ = reader.read_exact(&mut body);
                let (status, said) = answer(&own, &head, &text(&body));
                log.lock().expect("not poisoned").push(head);
                let _ = write!(
                    reader.into_inner(),
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                     Connection: close\r\n\r\n{said}",
                    said.len()
                );
            }
        });
        Self { base, heads }
    }
}
