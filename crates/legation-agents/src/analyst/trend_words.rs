//! How the trend of a series is put into words.

use super::figures::{Direction, Figure, Fit, Step, Trend, Undefined};
use super::format::{number, percent, share, signed};

/// Says in a verb where a series is heading.
pub(crate) fn movement(trend: &Trend) -> &'static str {
    match trend.direction {
        Direction::Rising => "rises",
        Direction::Falling => "falls",
        Direction::Flat => "is flat",
        Direction::Unclear => "has no clear direction",
    }
}

/// Says in a sentence what the trend is.
pub(crate) fn sentence(found: &Trend) -> String {
    let from_to = format!(
        "from {} to {}: {}",
        number(found.first.value),
        number(found.last.value),
        growth(found)
    );
    let slope = |found: &Trend| or_reason(found.slope.map(f64::abs), number);
    let quality = quality(found);
    match found.direction {
        Direction::Flat => {
            format!("every value is {}, so there is no trend.", number(found.first.value))
        }
        Direction::Rising | Direction::Falling if found.fit == Fit::Unknown => {
            format!("two values are too few to judge a trend; they go {from_to}.")
        }
        Direction::Rising => {
            format!("the values rise by {} per step ({quality}), {from_to}.", slope(found))
        }
        Direction::Falling => {
            format!("the values fall by {} per step ({quality}), {from_to}.", slope(found))
        }
        Direction::Unclear => format!(
            "the values have no clear direction ({quality}, {} per step); they go {from_to}.",
            or_reason(found.slope, signed)
        ),
    }
}

fn quality(found: &Trend) -> String {
    let word = match found.fit {
        Fit::Strong => "a strong fit",
        Fit::Moderate => "a moderate fit",
        Fit::Weak => "a weak fit",
        Fit::Unknown => "a fit that cannot be judged",
    };
    match found.r_squared {
        Ok(value) => format!("{word}, r² = {}", share(value)),
        Err(_) => word.to_owned(),
    }
}

fn growth(found: &Trend) -> String {
    let absolute = or_reason(found.growth, signed);
    match found.growth_percent {
        Ok(value) => format!("{absolute} ({})", percent(value)),
        Err(reason) => format!("{absolute} (no percentage: {reason})"),
    }
}

/// Writes the lines below the sentence: the greatest steps, and where the line goes on to.
pub(crate) fn details(found: &Trend) -> Vec<String> {
    let rise = found.greatest_rise.as_ref().map(step);
    let fall = found.greatest_fall.as_ref().map(step);
    let mut lines = Vec::new();
    if found.direction != Direction::Flat {
        lines.push(format!(
            "greatest rise {}, greatest fall {}",
            rise.unwrap_or_else(no_step),
            fall.unwrap_or_else(no_step)
        ));
    }
    if let (Fit::Strong | Fit::Moderate, Ok(next)) = (found.fit, found.next) {
        lines.push(format!("if the line continues, the next value is about {}", number(next)));
    }
    lines
}

fn no_step(reason: &Undefined) -> String {
    match reason {
        Undefined::NoRise | Undefined::NoFall => "none".to_owned(),
        Undefined::TooFewValues { .. }
        | Undefined::FirstIsZero
        | Undefined::AllEqual
        | Undefined::TooLarge => format!("unknown ({reason})"),
    }
}

fn step(step: &Step) -> String {
    format!("{} from position {} to {}", signed(step.change), step.from, step.to)
}

/// Writes a figure, or why there is none.
pub(crate) fn or_reason(figure: Figure, write: fn(f64) -> String) -> String {
    figure.map_or_else(|reason| format!("unknown ({reason})"), write)
}
