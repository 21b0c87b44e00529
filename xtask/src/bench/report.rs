//! The table of a case, its gates, and both as JSON.

use serde::Serialize;

use super::{
    cases::{Case, Gate},
    metric::{Metric, Sample, medians},
};

/// A case as it came out.
#[derive(Serialize)]
pub(super) struct CaseReport {
    name: &'static str,
    about: &'static str,
    runs: Vec<RunReport>,
    gates: Vec<Verdict>,
    /// How many gates the case has.
    #[serde(skip)]
    wanted: usize,
}

/// A run as it came out.
#[derive(Serialize)]
pub(super) struct RunReport {
    label: &'static str,
    median: Sample,
    rounds: Vec<Sample>,
}

/// A gate as it came out.
#[derive(Serialize)]
struct Verdict {
    metric: Metric,
    of: &'static str,
    over: Option<&'static str>,
    value: f64,
    must: Option<f64>,
    aim: f64,
    reached: Reached,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reached {
    Aim,
    Must,
    Neither,
}

impl RunReport {
    pub(super) fn new(label: &'static str, rounds: Vec<Sample>) -> Self {
        Self { label, median: medians(&rounds), rounds }
    }
}

impl CaseReport {
    /// Judges the runs of `case`; gates of runs that did not take place are left out.
    pub(super) fn new(case: &'static Case, runs: Vec<RunReport>) -> Self {
        let gates = case.gates.iter().filter_map(|gate| Verdict::of(gate, &runs)).collect();
        let wanted = case.gates.len();
        Self { name: case.name, about: case.about, runs, gates, wanted }
    }

    /// Tells whether a must is missed, or a gate could not be judged.
    pub(super) fn misses_a_must(&self) -> bool {
        self.gates.len() < self.wanted
            || self.gates.iter().any(|verdict| verdict.reached == Reached::Neither)
    }

    /// Prints the table and the gates.
    pub(super) fn print(&self) {
        println!("{}: {}", self.name, self.about);
        let shown = |metric: &Metric| self.runs.iter().any(|run| run.median.contains_key(metric));
        let columns: Vec<_> = Metric::ALL.into_iter().filter(shown).collect();
        let headings = columns.iter().map(|metric| metric.heading().0.to_owned());
        print_row("", headings);
        for run in &self.runs {
            let cells = columns.iter().map(|metric| match run.median.get(metric) {
                Some(value) => format!("{value:.*}", metric.heading().1),
                None => String::new(),
            });
            print_row(run.label, cells);
        }
        for verdict in &self.gates {
            verdict.print();
        }
        println!();
    }
}

fn print_row(label: &str, cells: impl Iterator<Item = String>) {
    let cells: String = cells.map(|cell| format!(" {cell:>10}")).collect();
    println!("  {label:<16}{cells}");
}

impl Verdict {
    fn of(gate: &Gate, runs: &[RunReport]) -> Option<Self> {
        let figure = |label| {
            let run = runs.iter().find(|run| run.label == label)?;
            run.median.get(&gate.metric).copied()
        };
        let value = match gate.over {
            Some(over) => figure(gate.of)? / figure(over)?,
            None => figure(gate.of)?,
        };
        let reaches = |wanted| gate.metric.reaches(value, wanted);
        let reached = match gate.must {
            _ if reaches(gate.aim) => Reached::Aim,
            Some(must) if !reaches(must) => Reached::Neither,
            _ => Reached::Must,
        };
        let Gate { metric, of, over, must, aim } = *gate;
        Some(Self { metric, of, over, value, must, aim, reached })
    }

    fn print(&self) {
        let (heading, _) = self.metric.heading();
        let what = match self.over {
            Some(over) => format!("{heading}, {} / {over}", self.of),
            None => format!("{heading}, {}", self.of),
        };
        let must = self.must.map_or_else(|| "-".into(), |must| must.to_string());
        let reached = match self.reached {
            Reached::Aim => "aim reached",
            Reached::Must => "must reached",
            Reached::Neither => "MISSED",
        };
        println!("  > {what}: {:.2} (must {must}, aim {}): {reached}", self.value, self.aim);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(gate: &Gate, product: f64, floor: f64) -> Option<Reached> {
        let run = |label, value| RunReport::new(label, vec![Sample::from([(gate.metric, value)])]);
        Verdict::of(gate, &[run("floor", floor), run("product", product)])
            .map(|verdict| verdict.reached)
    }

    #[test]
    fn a_rate_is_to_be_high_and_a_cost_low() {
        let mut gate = Gate {
            metric: Metric::Rate,
            of: "product",
            over: Some("floor"),
            must: Some(0.4),
            aim: 0.6,
        };
        assert!(judge(&gate, 70.0, 100.0) == Some(Reached::Aim));
        assert!(judge(&gate, 50.0, 100.0) == Some(Reached::Must));
        assert!(judge(&gate, 30.0, 100.0) == Some(Reached::Neither));
        gate = Gate { metric: Metric::Cpu, must: Some(3.0), aim: 2.0, ..gate };
        assert!(judge(&gate, 15.0, 10.0) == Some(Reached::Aim));
        assert!(judge(&gate, 40.0, 10.0) == Some(Reached::Neither));
        gate = Gate { over: Some("missing"), ..gate };
        assert!(judge(&gate, 40.0, 10.0).is_none());
    }
}
