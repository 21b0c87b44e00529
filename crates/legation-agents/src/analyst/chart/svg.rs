//! The few SVG elements charts are made of.

use std::fmt::Write as _;

/// A drawing in the making.
pub(crate) struct Svg {
    body: String,
}

/// How a text hangs on its point.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A text and how it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'t> {
    pub(crate) text: &'t str,
    pub(crate) size: f64,
    pub(crate) anchor: Anchor,
    pub(crate) bold: bool,
    /// Degrees, clockwise around its point.
    pub(crate) turn: f64,
    pub(crate) colour: &'t str,
}

/// The colour of text.
pub(crate) const INK: &str = "#222222";

impl<'t> Text<'t> {
    /// Level, plain text in ink.
    pub(crate) fn new(text: &'t str, size: f64, anchor: Anchor) -> Self {
        Self { text, size, anchor, bold: false, turn: 0.0, colour: INK }
    }
}

impl Svg {
    pub(crate) fn new() -> Self {
        Self { body: String::new() }
    }

    /// A straight line.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), style: &str) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
        self.add(&format!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" {style}/>"));
    }

    /// A rectangle.
    pub(crate) fn rect(&mut self, at: (f64, f64), size: (f64, f64), style: &str) {
        let [x, y, width, height] = [at.0, at.1, size.0, size.1].map(number);
        let area = format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"");
        self.add(&format!("<rect {area} {style}/>"));
    }

    /// A dot.
    pub(crate) fn circle(&mut self, at: (f64, f64), radius: f64, style: &str) {
        let [x, y, r] = [at.0, at.1, radius].map(number);
        self.add(&format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" {style}/>"));
    }

    /// A path, given in SVG's own words.
    pub(crate) fn path(&mut self, path: &str, style: &str) {
        self.add(&format!("<path d=\"{path}\" {style}/>"));
    }

    /// A text at a point of its base line.
    pub(crate) fn text(&mut self, at: (f64, f64), text: Text<'_>) {
        let anchor = match text.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let [x, y, size] = [at.0, at.1, text.size].map(number);
        let weight = if text.bold { " font-weight=\"600\"" } else { "" };
        let turn = match text.turn {
            0.0 => String::new(),
            turn => format!(" transform=\"rotate({} {x} {y})\"", number(turn)),
        };
        let words = escape(text.text);
        self.add(&format!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\" \
             fill=\"{}\"{weight}{turn}>{words}</text>",
            text.colour
        ));
    }

    fn add(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// The whole document.
    pub(crate) fn finish(self, width: u32, height: u32, title: &str, about: &str) -> String {
        let (title, about) = (escape(title), escape(about));
        let size =
            format!("width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\"");
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" {size} role=\"img\" \
             aria-labelledby=\"chart-title chart-desc\" \
             font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\">\n\
             <title id=\"chart-title\">{title}</title>\n<desc id=\"chart-desc\">{about}</desc>\n\
             {}</svg>\n",
            self.body
        )
    }
}

/// A coordinate with two decimals at most.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A text as XML may hold it: markup is escaped and what XML forbids becomes a space.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Begins or goes on with a path to a point.
pub(crate) fn step(path: &mut String, command: char, at: (f64, f64)) {
    write!(path, "{command}{} {}", number(at.0), number(at.1)).expect("a string takes all text");
}
