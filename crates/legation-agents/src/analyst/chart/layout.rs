//! Where things go: the title at the top, the legend below it, the rest for the drawing.

use super::svg::{Anchor, INK, Svg, Text, number};
use super::text::{shortened, width, wrapped};
use super::{Chart, Data, PALETTE};

/// What is left of the paper.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
    /// The size of ordinary text on paper of this size.
    pub(crate) font: f64,
}

impl Area {
    pub(crate) fn width(self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(self) -> f64 {
        self.bottom - self.top
    }
}

/// Draws paper, title and legend; returns what is left.
pub(crate) fn head(svg: &mut Svg, chart: &Chart) -> Area {
    let (wide, high) = (f64::from(chart.width), f64::from(chart.height));
    svg.rect((0.0, 0.0), (wide, high), "fill=\"#ffffff\"");
    let font = (wide.min(high * 1.6) / 55.0).clamp(9.0, 28.0);
    let margin = font;
    let mut area = Area {
        left: margin,
        top: margin * 0.8,
        right: wide - margin,
        bottom: high - margin * 0.7,
        font,
    };
    let size = font * 1.3;
    let most = if high < 260.0 { 1 } else { 2 };
    for line in wrapped(&chart.title, size, area.width(), most) {
        area.top += size;
        let text = Text { bold: true, ..Text::new(&line, size, Anchor::Start) };
        svg.text((area.left, area.top), text);
        area.top += size * 0.25;
    }
    area.top += font * 0.5;
    if let Data::Lines { lines, .. } | Data::Bars { lines, .. } = &chart.data
        && lines.len() > 1
    {
        let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
        legend(svg, &mut area, &names, matches!(chart.data, Data::Lines { .. }));
    }
    area
}

/// Draws the names of several series in rows.
fn legend(svg: &mut Svg, area: &mut Area, names: &[&str], as_lines: bool) {
    let font = area.font;
    let (key, gap) = (font * 1.8, font * 1.2);
    let row = font * 1.5;
    let (mut x, mut y) = (area.left, area.top + font);
    for (at, name) in names.iter().enumerate() {
        let name = shortened(name, font, (area.width() - key - gap).min(font * 20.0));
        let needed = key + width(&name, font) + gap;
        if x + needed > area.right + gap && x > area.left {
            (x, y) = (area.left, y + row);
        }
        let middle = y - font * 0.35;
        if as_lines {
            let style = line_style(at, font, false);
            svg.line((x, middle), (x + key - font * 0.4, middle), &style);
        } else {
            let side = font * 0.9;
            let style = format!("fill=\"{}\"", PALETTE[at % PALETTE.len()]);
            svg.rect((x + font * 0.4, middle - side / 2.0), (side, side), &style);
        }
        svg.text((x + key, y), Text::new(&name, font, Anchor::Start));
        x += needed;
    }
    area.top = y + font * 0.9;
}

/// How the line of a series is drawn: by colour, and by its dashes for those who see none.
pub(crate) fn line_style(at: usize, font: f64, expected: bool) -> String {
    const DASHES: [&[f64]; 4] = [&[], &[0.6, 0.25], &[0.15, 0.25], &[0.75, 0.25, 0.15, 0.25]];
    let colour = PALETTE[at % PALETTE.len()];
    let wide = (font / 6.0).max(1.0);
    let dashes = if expected { &[0.35, 0.35] } else { DASHES[at % DASHES.len()] };
    let dashes: Vec<String> = dashes.iter().map(|dash| number(dash * font.max(9.0))).collect();
    let dashes = match dashes.is_empty() {
        true => String::new(),
        false => format!(" stroke-dasharray=\"{}\"", dashes.join(" ")),
    };
    format!(
        "fill=\"none\" stroke=\"{colour}\" stroke-width=\"{wide:.1}\" \
         stroke-linejoin=\"round\"{dashes}"
    )
}

/// Says that there is nothing to see.
pub(crate) fn nothing(svg: &mut Svg, area: Area) {
    let at = (f64::midpoint(area.left, area.right), f64::midpoint(area.top, area.bottom));
    svg.text(at, Text { colour: INK, ..Text::new("no values", area.font, Anchor::Middle) });
}
