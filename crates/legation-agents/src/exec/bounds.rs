//! How long a run may take, how long it may be silent and how much it may say.

use std::pin::Pin;
use std::time::Duration;

use legation_core::AgentError;
use tokio::time::{Instant, Sleep};

use super::Settings;

pub(super) struct Bounds {
    run_time: Duration,
    idle_time: Duration,
    until: Instant,
    heard: Instant,
    bytes: u64,
    most_bytes: u64,
    /// Set anew only when it rings, not with every word of the program.
    alarm: Pin<Box<Sleep>>,
}

impl Bounds {
    pub(super) fn new(settings: &Settings) -> Self {
        let now = Instant::now();
        let until = now + settings.run_time;
        Self {
            run_time: settings.run_time,
            idle_time: settings.idle_time,
            until,
            heard: now,
            bytes: 0,
            most_bytes: settings.output_bytes,
            alarm: Box::pin(tokio::time::sleep_until(until.min(now + settings.idle_time))),
        }
    }

    /// Notes that the program has said something.
    ///
    /// # Errors
    /// When it has said too much.
    pub(super) fn heard(&mut self, bytes: u64) -> Result<(), AgentError> {
        self.heard = Instant::now();
        self.bytes += bytes;
        if self.bytes > self.most_bytes {
            let most = self.most_bytes;
            return Err(AgentError::failed(format!("the program wrote more than {most} bytes")));
        }
        Ok(())
    }

    /// Waits until the time is up; gives the reason. Nothing is lost when the wait is given up.
    pub(super) async fn passed(&mut self) -> AgentError {
        loop {
            self.alarm.as_mut().await;
            let (now, silent) = (Instant::now(), self.heard + self.idle_time);
            if now >= self.until {
                let time = self.run_time.as_secs_f64();
                return AgentError::failed(format!("the program took longer than {time} s"));
            }
            if now >= silent {
                let time = self.idle_time.as_secs_f64();
                return AgentError::failed(format!("the program said nothing for {time} s"));
            }
            self.alarm.as_mut().reset(self.until.min(silent));
        }
    }
}
