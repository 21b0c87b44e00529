//! Histories made by hand: good ones pass, and each bad one is caught by its rule.

use legation_model::TaskState::{self, Completed, Failed, Submitted, Working};

use super::*;

/// Writes histories of one task, `t`, as its client 1 sees it.
#[derive(Clone, Default)]
struct Story {
    records: Vec<Record>,
    streams: u64,
}

/// The log of a task that counts to two, as (number, kind).
fn count_to_two() -> Vec<Kind> {
    vec![task(Submitted), status(Working), chunk("1"), chunk("2"), status(Completed)]
}

fn task(state: TaskState) -> Kind {
    Kind::Task { state }
}

fn status(state: TaskState) -> Kind {
    Kind::Status { state, attempt: None, text: None }
}

fn failed(text: &str) -> Kind {
    Kind::Status { state: Failed, attempt: None, text: Some(text.into()) }
}

fn restarted(attempt: u32) -> Kind {
    Kind::Status { state: Working, attempt: Some(attempt), text: None }
}

fn chunk(text: &str) -> Kind {
    Kind::Chunk { text: text.into(), run: None, at: None }
}

fn counted_by(run: &str, text: &str) -> Kind {
    Kind::Chunk { text: text.into(), run: Some(run.into()), at: None }
}

/// An event whose digest is of what it tells.
fn event(seq: Option<u64>, kind: Kind) -> Event {
    let hash = format!("{kind:?}")
        .bytes()
        .fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Event { task: "t".into(), seq, hash, kind }
}

fn seen(state: TaskState, texts: &[&str]) -> Seen {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    Seen { task: "t".into(), state, texts, text: None, hash: 1 }
}

fn refused(reason: Reason) -> Failure {
    Failure::Refused { reason, message: "no".into() }
}

impl Story {
    /// A story that begins with a message to a policy's agent: count to two.
    fn begin(policy: Policy) -> Self {
        Self::default().send(1, policy)
    }

    fn add(mut self, client: u32, what: What) -> Self {
        let at = self.now();
        self.records.push(Record { at, client, what });
        self
    }

    fn send(self, send: u64, policy: Policy) -> Self {
        let script = Script { count: 2, policy };
        let message = What::Send(Send { send, message: "m".into(), key: Some("k".into()), script });
        self.add(1, message)
    }

    fn open(mut self, about: About, after: Option<u64>) -> Self {
        self.streams += 1;
        let stream = self.streams;
        self.add(1, What::Open { stream, about, after })
    }

    fn told(self, seq: impl Into<Option<u64>>, kind: Kind) -> Self {
        let (stream, event) = (self.streams, event(seq.into(), kind));
        self.add(1, What::Event { stream, event })
    }

    /// The stream of the first send, telling these from 1 on.
    fn stream(self, log: &[Kind]) -> Self {
        let opened = self.open(About::Send(1), Some(0));
        (1..).zip(log).fold(opened, |story, (seq, kind)| story.told(seq, kind.clone()))
    }

    fn resume(self, after: u64) -> Self {
        self.open(About::Task("t".into()), Some(after)).told(None, task(Working))
    }

    fn subscribe(self) -> Self {
        self.open(About::Task("t".into()), None)
    }

    fn end(self) -> Self {
        let stream = self.streams;
        self.add(1, What::End { stream })
    }

    fn fault(self, fault: Fault) -> Self {
        self.add(0, What::Fault(fault))
    }

    fn now(&self) -> u64 {
        self.records.len() as u64
    }

    fn fail(self, failure: Failure) -> Self {
        let begun = self.now();
        self.fail_since(begun, failure)
    }

    fn fail_since(self, begun: u64, failure: Failure) -> Self {
        self.add(1, What::Failed { about: About::Task("t".into()), begun, failure })
    }

    fn read(self, state: TaskState, texts: &[&str]) -> Self {
        self.add(1, What::Read(seen(state, texts)))
    }

    fn answer(self, send: u64, task: Seen) -> Self {
        self.add(1, What::Answer { send, task })
    }

    /// The end of a history: the log as it is then, and the task read and listed.
    fn finish(self, log: &[Kind], last: Seen) -> Self {
        let story = self.add(1, What::Final).add(9, What::Read(last));
        let message = "m".to_owned();
        let story = story.add(9, What::Listed { task: "t".into(), message });
        let story = story.open(About::Task("t".into()), Some(0)).told(None, task(Submitted));
        (1..).zip(log).fold(story, |story, (seq, kind)| story.told(seq, kind.clone())).end()
    }

    /// The end of a history in which all went well.
    fn well(self) -> Self {
        self.finish(&count_to_two(), seen(Completed, &["1", "2"]))
    }

    /// The rules that catch it.
    fn caught(&self) -> Vec<Rule> {
        let mut rules: Vec<_> = check(&self.records).iter().map(|found| found.rule).collect();
        rules.dedup();
        rules
    }
}

fn begin() -> Story {
    Story::begin(Policy::Resume)
}

/// A story of a lost run: its log, and how the task reads at the end.
fn lost_run(policy: Policy, log: &[Kind], last: Seen) -> Story {
    let known = &log[..3];
    Story::begin(policy).stream(known).fault(Fault::Kill).fault(Fault::Start).finish(log, last)
}

#[test]
fn good_histories_pass() {
    let log = count_to_two();
    let two = seen(Completed, &["1", "2"]);
    let again =
        [task(Submitted), status(Working), chunk("1"), restarted(2), chunk("1"), chunk("2")];
    let again = [&again[..], &[status(Completed)]].concat();
    let on = [&log[..3], &[restarted(2), chunk("2"), status(Completed)]].concat();
    let lost = [&log[..3], &[failed("The server restarted.")]].concat();
    let thrice = [&log[..3], &[restarted(2), restarted(3), failed("lost 3 times")]].concat();
    let failed = |texts| Seen { text: Some("The server restarted.".into()), ..seen(Failed, texts) };
    let stories = [
        ("nothing", Story::default()),
        ("a stream to the end", begin().stream(&log).end().well()),
        ("a stream that was cut", begin().stream(&log[..2]).resume(2).told(3, chunk("1")).well()),
        ("a call that a kill broke", begin().fault(Fault::Kill).fail(Failure::Lost)),
        ("retry", lost_run(Policy::Retry, &again, two.clone())),
        ("resume", lost_run(Policy::Resume, &on, two.clone())),
        (
            "an owner after another",
            lost_run(
                Policy::Resume,
                &[
                    task(Submitted),
                    status(Working),
                    counted_by("a", "1"),
                    restarted(2),
                    counted_by("b", "2"),
                    status(Completed),
                ],
                two.clone(),
            ),
        ),
        ("fail", lost_run(Policy::Fail, &lost, failed(&["1"]))),
        ("given up", lost_run(Policy::Resume, &thrice, failed(&["1"]))),
        ("reads", begin().read(Submitted, &[]).read(Working, &[]).read(Working, &["1"]).well()),
        ("present state first", begin().subscribe().told(3, task(Working)).well()),
        (
            "equal answers",
            begin().answer(1, two.clone()).send(2, Policy::Resume).answer(2, two).well(),
        ),
        (
            "refused while it stops",
            begin()
                .fault(Fault::Stop)
                .fail(refused(Reason::Unavailable))
                .stream(&log[..2])
                .end()
                .well(),
        ),
        (
            "refused while it starves",
            begin().fault(Fault::Starve).fail(refused(Reason::Full)).fault(Fault::Relieve).well(),
        ),
        (
            "refused while it is severed",
            begin()
                .fault(Fault::Sever)
                .fail(refused(Reason::Unavailable))
                .fault(Fault::Mend)
                .well(),
        ),
        (
            "called while it was severed",
            begin()
                .fault(Fault::Sever)
                .fault(Fault::Mend)
                .fail_since(1, refused(Reason::Unavailable))
                .well(),
        ),
        ("a call that was cut", begin().fault(Fault::Cut).fail(Failure::Lost).well()),
    ];
    for (name, story) in stories {
        assert_eq!(check(&story.records), [], "{name}");
    }
}

#[test]
fn bad_histories_are_caught() {
    let log = count_to_two();
    let two = seen(Completed, &["1", "2"]);
    let lost = Seen { text: Some("lost".into()), ..seen(Failed, &["1"]) };
    let with = |at: usize, kind: Kind| {
        let mut log = count_to_two();
        log[at] = kind;
        log
    };
    let other = Seen { task: "u".into(), ..two.clone() };
    let stories = [
        // What was acknowledged is lost.
        (Rule::Lost, "never read back", begin().stream(&log[..1])),
        (Rule::Lost, "a task is gone", begin().stream(&log).add(1, What::Final)),
        (Rule::Lost, "not found", begin().stream(&log).fail(refused(Reason::NotFound)).well()),
        (
            Rule::Lost,
            "a state is gone",
            begin().stream(&log).finish(&log[..3], seen(Working, &["1"])),
        ),
        (
            Rule::Lost,
            "an end became another",
            begin().answer(1, two.clone()).finish(&with(4, failed("x")), lost.clone()),
        ),
        (Rule::Lost, "an event is gone", begin().stream(&log).finish(&log[..4], two.clone())),
        // Streams out of order.
        (Rule::Order, "a gap", begin().stream(&log[..2]).told(4, chunk("2")).well()),
        (Rule::Order, "twice", begin().stream(&log[..2]).told(2, status(Working)).well()),
        (Rule::Order, "no number", begin().stream(&log[..2]).told(None, chunk("1")).well()),
        (
            Rule::Order,
            "begins late",
            begin().open(About::Send(1), Some(0)).told(2, task(Working)).well(),
        ),
        (
            Rule::Order,
            "resumes early",
            begin().stream(&log[..3]).resume(3).told(3, chunk("1")).well(),
        ),
        (
            Rule::Order,
            "resumes late",
            begin().stream(&log[..3]).resume(3).told(5, status(Completed)).well(),
        ),
        (
            Rule::Order,
            "no header",
            begin().open(About::Task("t".into()), Some(2)).told(3, chunk("1")).well(),
        ),
        // Streams that disagree.
        (Rule::Agreement, "another event", begin().stream(&with(2, chunk("2"))[..3]).well()),
        (
            Rule::Agreement,
            "another event after a restart",
            begin()
                .stream(&log[..3])
                .fault(Fault::Kill)
                .fault(Fault::Start)
                .finish(&with(2, chunk("9")), seen(Completed, &["9", "2"])),
        ),
        (
            Rule::Agreement,
            "a header of another moment",
            begin().open(About::Task("t".into()), Some(1)).told(None, task(Completed)).well(),
        ),
        (
            Rule::Agreement,
            "a present state of another moment",
            begin().subscribe().told(3, task(Completed)).well(),
        ),
        // Repetitions.
        (
            Rule::Repetition,
            "a second task",
            begin().answer(1, two.clone()).send(2, Policy::Resume).answer(2, other).well(),
        ),
        (
            Rule::Repetition,
            "a second task that nobody was told of",
            begin().add(1, What::Listed { task: "u".into(), message: "m".into() }).well(),
        ),
        (
            Rule::Repetition,
            "another answer",
            begin()
                .answer(1, two.clone())
                .send(2, Policy::Resume)
                .answer(2, Seen { hash: 2, ..two.clone() })
                .well(),
        ),
        // Illegal lives.
        (
            Rule::Lifecycle,
            "goes on after the end",
            begin().finish(&[&log[..], &[status(Working)]].concat(), seen(Working, &["1", "2"])),
        ),
        (Rule::Lifecycle, "goes back", begin().finish(&with(2, status(Submitted)), two.clone())),
        (Rule::Lifecycle, "begins twice", begin().finish(&with(1, task(Working)), two.clone())),
        (Rule::Lifecycle, "skips an attempt", begin().finish(&with(1, restarted(3)), two.clone())),
        // Writers that are not alone.
        (
            Rule::Owner,
            "two at work",
            begin().finish(
                &[task(Submitted), counted_by("a", "1"), counted_by("b", "2"), status(Completed)],
                two.clone(),
            ),
        ),
        (
            Rule::Owner,
            "a lost one writes on",
            lost_run(
                Policy::Resume,
                &[
                    task(Submitted),
                    status(Working),
                    counted_by("a", "1"),
                    restarted(2),
                    counted_by("a", "2"),
                    status(Completed),
                ],
                two.clone(),
            ),
        ),
        // Counts with a fault.
        (
            Rule::Count,
            "a number is missing",
            begin().finish(&with(2, status(Working)), two.clone()),
        ),
        (
            Rule::Count,
            "a number twice",
            begin().finish(&with(3, chunk("1")), seen(Completed, &["1", "1"])),
        ),
        (
            Rule::Count,
            "swapped",
            begin().finish(
                &[task(Submitted), chunk("2"), chunk("1"), status(Completed)],
                seen(Completed, &["2", "1"]),
            ),
        ),
        (
            Rule::Count,
            "too short",
            begin().finish(&[&log[..3], &[status(Completed)]].concat(), seen(Completed, &["1"])),
        ),
        (
            Rule::Count,
            "a resumed count begins again",
            lost_run(
                Policy::Resume,
                &[&log[..3], &[restarted(2), chunk("1"), chunk("2"), status(Completed)]].concat(),
                seen(Completed, &["1", "1", "2"]),
            ),
        ),
        (
            Rule::Count,
            "a retried count goes on",
            lost_run(
                Policy::Retry,
                &[&log[..3], &[restarted(2), chunk("2"), status(Completed)]].concat(),
                seen(Completed, &["2"]),
            ),
        ),
        (
            Rule::Count,
            "a retried count keeps what is void",
            lost_run(
                Policy::Retry,
                &[&log[..3], &[restarted(2), chunk("1"), chunk("2"), status(Completed)]].concat(),
                seen(Completed, &["1", "1", "2"]),
            ),
        ),
        (
            Rule::Count,
            "begun again against the policy",
            lost_run(
                Policy::Fail,
                &[&log[..3], &[restarted(2), chunk("1"), chunk("2"), status(Completed)]].concat(),
                two.clone(),
            ),
        ),
        (
            Rule::Count,
            "failed without a reason",
            lost_run(Policy::Fail, &[&log[..3], &[status(Failed)]].concat(), seen(Failed, &["1"])),
        ),
        (
            Rule::Count,
            "given up too early",
            lost_run(Policy::Resume, &[&log[..3], &[failed("lost")]].concat(), lost),
        ),
        (Rule::Count, "never ends", begin().finish(&log[..3], seen(Working, &["1"]))),
        // Reads that go back.
        (Rule::Reads, "fewer numbers", begin().read(Working, &["1"]).read(Working, &[]).well()),
        (Rule::Reads, "an earlier state", begin().read(Working, &[]).read(Submitted, &[]).well()),
        (Rule::Reads, "behind a stream", begin().stream(&log[..3]).read(Working, &[]).well()),
        (Rule::Reads, "behind an answer", begin().answer(1, two.clone()).read(Working, &[]).well()),
        (Rule::Reads, "what never was", begin().read(Working, &["2"]).well()),
        (
            Rule::Reads,
            "a subscription behind a stream",
            begin().stream(&log[..3]).subscribe().told(2, task(Working)).well(),
        ),
        // No progress.
        (Rule::Progress, "hangs", begin().stream(&log[..1]).fail(Failure::Hung).well()),
        (
            Rule::Progress,
            "broken off by a stop",
            begin().fault(Fault::Stop).fail(Failure::Lost).well(),
        ),
        (Rule::Progress, "refused", begin().fail(refused(Reason::Unavailable)).well()),
        (
            Rule::Progress,
            "refused after a stop",
            begin()
                .fault(Fault::Stop)
                .fault(Fault::Start)
                .fail(refused(Reason::Unavailable))
                .well(),
        ),
        (
            Rule::Progress,
            "refused after it was mended",
            begin()
                .fault(Fault::Sever)
                .fault(Fault::Mend)
                .fail(refused(Reason::Unavailable))
                .well(),
        ),
        (
            Rule::Progress,
            "refused when it was severed and mended since",
            begin()
                .fault(Fault::Sever)
                .fault(Fault::Mend)
                .fail_since(0, refused(Reason::Unavailable))
                .well(),
        ),
        (
            Rule::Progress,
            "broken off while it was severed",
            begin().fault(Fault::Sever).fail(Failure::Lost).well(),
        ),
        (Rule::Progress, "a stream ends early", begin().stream(&log[..2]).end().well()),
        (Rule::Progress, "answered early", begin().answer(1, seen(Working, &[])).well()),
    ];
    for (rule, name, story) in stories {
        let caught = story.caught();
        assert!(caught.contains(&rule), "{name}: {:?}", check(&story.records));
    }
}

#[test]
fn a_history_is_the_same_when_read_back() {
    let story = lost_run(Policy::Fail, &count_to_two(), seen(Completed, &["1", "2"]));
    let mut lines = Vec::new();
    for record in &story.records {
        write_line(&mut lines, record).expect("memory takes all");
    }
    assert_eq!(read_lines(lines.as_slice()).expect("what was written"), story.records);
}
