//! The history by stream and by task, so that every rule is a short walk.

use std::collections::{BTreeMap, HashMap};

use legation_model::TaskState;

use super::{About, Event, Failure, Fault, Kind, Policy, Record, Script, Seen, Send, What};

/// A history, looked up from all sides.
pub(super) struct Index<'a> {
    pub(super) records: &'a [Record],
    pub(super) sends: HashMap<u64, &'a Send>,
    scripts: HashMap<&'a str, Script>,
    pub(super) streams: BTreeMap<u64, Stream<'a>>,
    pub(super) tasks: BTreeMap<&'a str, Task<'a>>,
    /// Failures with what may explain them.
    pub(super) failures: Vec<(&'a About, &'a Failure, Cause)>,
    /// Sends with the answers they got, and what may explain those.
    pub(super) answers: Vec<(&'a Send, &'a Seen, Cause)>,
    /// Tasks in listings, with the message that began each.
    pub(super) listed: Vec<(&'a str, &'a str)>,
    /// Whether the history holds the part that reads everything back.
    pub(super) complete: bool,
    /// What had been done to the server up to the record that was added last.
    cause: Cause,
    /// When the server began to be strained, and when it no longer was.
    strains: Vec<(u64, Option<u64>)>,
}

/// What had been done to the server when something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cause {
    /// It was stopping, starving or severed.
    pub(super) strained: bool,
    /// It had been killed, or its callers cut off, then or before.
    pub(super) cut: bool,
}

/// A stream, from its opening to its end.
pub(super) struct Stream<'a> {
    pub(super) about: &'a About,
    pub(super) after: Option<u64>,
    pub(super) events: Vec<&'a Event>,
    /// Set when it ended in good order: what may explain the end.
    pub(super) end: Option<Cause>,
}

/// All that is known of a task.
#[derive(Default)]
pub(super) struct Task<'a> {
    pub(super) script: Option<Script>,
    /// The first telling of each event.
    pub(super) log: BTreeMap<u64, &'a Event>,
    /// The furthest state that anybody was shown.
    pub(super) acked: Option<TaskState>,
    /// The task as it was read at the end.
    pub(super) last: Option<&'a Seen>,
    /// The greatest number that was read at the end.
    pub(super) last_seq: u64,
    pub(super) listed: bool,
}

/// A task after one of its events: a state, and which of the log's numbers are in force.
pub(super) struct Moment {
    pub(super) state: TaskState,
    begin: usize,
    end: usize,
}

/// A task after each of its events: the moment at index n is that after event n + 1.
pub(super) struct Moments<'a> {
    pub(super) moments: Vec<Moment>,
    texts: Vec<&'a str>,
}

impl<'a> Index<'a> {
    pub(super) fn of(records: &'a [Record]) -> Self {
        let mut index = Self {
            records,
            sends: HashMap::new(),
            scripts: HashMap::new(),
            streams: BTreeMap::new(),
            tasks: BTreeMap::new(),
            failures: Vec::new(),
            answers: Vec::new(),
            listed: Vec::new(),
            complete: false,
            cause: Cause::default(),
            strains: Vec::new(),
        };
        for record in records {
            index.add(record);
        }
        index
    }

    fn add(&mut self, record: &'a Record) {
        let cause = self.cause;
        match &record.what {
            What::Send(send) => {
                self.sends.insert(send.send, send);
                self.scripts.insert(&send.message, send.script);
            }
            What::Answer { send, task } => {
                let Some(send) = self.sends.get(send).copied() else { return };
                self.answers.push((send, task, cause));
                self.task(&task.task).script = Some(send.script);
                self.show(&task.task, task.state);
            }
            What::Read(task) => {
                self.show(&task.task, task.state);
                if self.complete {
                    self.task(&task.task).last = Some(task);
                }
            }
            What::Listed { task, message } => {
                self.listed.push((task, message));
                // Nobody but the listing may have told what became of a message.
                let script = self.scripts.get(message.as_str()).copied();
                let task = self.task(task);
                task.listed = true;
                task.script = task.script.or(script);
            }
            What::Open { stream, about, after } => {
                let (about, after) = (about, *after);
                let opened = Stream { about, after, events: Vec::new(), end: None };
                self.streams.insert(*stream, opened);
            }
            What::Event { stream, event } => self.add_event(*stream, event),
            What::End { stream } => {
                if let Some(stream) = self.streams.get_mut(stream) {
                    stream.end = Some(cause);
                }
            }
            What::Failed { about, begun, failure } => {
                // It is kept waiting by what was done before.
                let strained = cause.strained || self.was_strained(*begun);
                self.failures.push((about, failure, Cause { strained, ..cause }));
            }
            What::Fault(Fault::Stop | Fault::Starve | Fault::Sever) => {
                self.cause.strained = true;
                self.strains.push((record.at, None));
            }
            What::Fault(Fault::Start | Fault::Relieve | Fault::Mend) => {
                self.cause.strained = false;
                self.strains.last_mut().map(|(_, until)| until.get_or_insert(record.at));
            }
            What::Fault(Fault::Kill | Fault::Cut) => self.cause.cut = true,
            What::Final => self.complete = true,
        }
    }

    fn was_strained(&self, at: u64) -> bool {
        self.strains.iter().any(|(from, until)| *from <= at && until.is_none_or(|until| at < until))
    }

    fn add_event(&mut self, stream: u64, event: &'a Event) {
        let Some(stream) = self.streams.get_mut(&stream) else { return };
        let opening = stream.events.is_empty();
        stream.events.push(event);
        let (about, after) = (stream.about, stream.after);
        if let About::Send(send) = about {
            let script = self.sends.get(send).map(|send| send.script);
            let task = self.task(&event.task);
            task.script = task.script.or(script);
        }
        if let Some(state) = event.state() {
            self.show(&event.task, state);
        }
        let complete = self.complete;
        let task = self.task(&event.task);
        if let Some(seq) = event.seq {
            // The opening of a stream from now on shows the task, not the event of that number.
            if !(opening && after.is_none()) {
                task.log.entry(seq).or_insert(event);
            }
            if complete {
                task.last_seq = task.last_seq.max(seq);
            }
        }
    }

    fn task(&mut self, id: &'a str) -> &mut Task<'a> {
        self.tasks.entry(id).or_default()
    }

    fn show(&mut self, id: &'a str, state: TaskState) {
        let task = self.task(id);
        if task.acked.is_none_or(|acked| rank(acked) < rank(state)) {
            task.acked = Some(state);
        }
    }
}

impl Event {
    /// The state it tells.
    pub(super) fn state(&self) -> Option<TaskState> {
        match &self.kind {
            Kind::Task { state } | Kind::Status { state, .. } => Some(*state),
            Kind::Chunk { .. } => None,
        }
    }
}

impl<'a> Task<'a> {
    /// The task after each of its events; `None` when the log has a hole.
    pub(super) fn moments(&self) -> Option<Moments<'a>> {
        let retry = self.script.is_some_and(|script| script.policy == Policy::Retry);
        let mut folded = Moments { moments: Vec::new(), texts: Vec::new() };
        let (mut state, mut begin) = (TaskState::Unspecified, 0);
        for ((seq, event), expected) in self.log.iter().zip(1..) {
            if *seq != expected {
                return None;
            }
            match &event.kind {
                Kind::Task { state: told } => state = *told,
                Kind::Status { state: told, attempt, .. } => {
                    state = *told;
                    if attempt.is_some() && retry {
                        begin = folded.texts.len();
                    }
                }
                Kind::Chunk { text, .. } => folded.texts.push(text),
            }
            folded.moments.push(Moment { state, begin, end: folded.texts.len() });
        }
        Some(folded)
    }
}

impl Moments<'_> {
    /// Whether a task looked like this at a moment.
    pub(super) fn shows(&self, moment: &Moment, seen: &Seen) -> bool {
        let texts = &self.texts[moment.begin..moment.end];
        moment.state == seen.state && texts == seen.texts
    }
}

/// How far a state is on the way of a task.
pub(super) fn rank(state: TaskState) -> u8 {
    match state {
        TaskState::Unspecified => 0,
        TaskState::Submitted => 1,
        TaskState::Working | TaskState::InputRequired | TaskState::AuthRequired => 2,
        TaskState::Completed | TaskState::Failed | TaskState::Canceled | TaskState::Rejected => 3,
    }
}
