//! Pie charts: shares of a whole, largest first, each with its name beside the pie.

use std::f64::consts::TAU;

use super::PALETTE;
use super::layout::{Area, nothing};
use super::svg::{Anchor, Svg, Text, step};
use super::text::{squeezed, width};

/// Draws slices from the top clockwise, and a legend with their shares.
pub(crate) fn draw(svg: &mut Svg, area: Area, slices: &[(String, f64)]) {
    let total: f64 = slices.iter().map(|(_, value)| value).sum();
    if total <= 0.0 {
        return nothing(svg, area);
    }
    let font = area.font;
    let row = font * 1.6;
    let shares: Vec<String> =
        slices.iter().map(|(_, value)| format!("{:.1} %", value / total * 100.0)).collect();
    // The names stand to the right, or below on upright paper; the pie gets what is left.
    let upright = area.height() > area.width() * 1.2;
    let widest =
        slices.iter().zip(&shares).map(|((name, _), share)| names_width(name, share, font));
    let names = (widest.fold(0.0, f64::max), row * slices.len() as f64);
    let (wide, high) = match upright {
        true => (area.width(), area.height() - names.1 - font),
        false => (area.width() - names.0.min(area.width() * 0.55) - font * 2.0, area.height()),
    };
    let radius = (wide.min(high) / 2.0).max(font);
    let centre = match upright {
        true => (f64::midpoint(area.left, area.right), area.top + radius),
        false => (area.left + radius + font * 0.2, f64::midpoint(area.top, area.bottom)),
    };
    let mut from = 0.0;
    for (at, (_, value)) in slices.iter().enumerate() {
        let to = from + value / total;
        let style = format!("fill=\"{}\" stroke=\"#ffffff\" stroke-width=\"1.5\"", colour(at));
        slice(svg, centre, radius, (from, to), &style);
        from = to;
    }
    let (left, mut y) = match upright {
        true => (area.left, centre.1 + radius + font * 2.0),
        false => (centre.0 + radius + font * 1.5, centre.1 - (names.1 - row) / 2.0),
    };
    for (at, ((name, _), share)) in slices.iter().zip(&shares).enumerate() {
        let side = font * 0.9;
        let style = format!("fill=\"{}\"", colour(at));
        svg.rect((left, y - side / 2.0), (side, side), &style);
        let room = area.right - left - side - font - width(share, font);
        let text = format!("{} {share}", squeezed(name, font, room));
        svg.text(
            (left + side + font * 0.5, y + font * 0.35),
            Text::new(&text, font, Anchor::Start),
        );
        y += row;
    }
}

fn names_width(name: &str, share: &str, font: f64) -> f64 {
    width(name, font) + width(share, font) + font * 2.5
}

fn colour(at: usize) -> &'static str {
    PALETTE[at % PALETTE.len()]
}

fn slice(svg: &mut Svg, centre: (f64, f64), radius: f64, (from, to): (f64, f64), style: &str) {
    // An arc that ends where it begins would be nothing instead of everything.
    if to - from > 0.9999 {
        return svg.circle(centre, radius, style);
    }
    let on_rim = |share: f64| {
        let (sin, cos) = (share * TAU).sin_cos();
        (centre.0 + radius * sin, centre.1 - radius * cos)
    };
    let mut path = String::new();
    step(&mut path, 'M', centre);
    step(&mut path, 'L', on_rim(from));
    let far = u8::from(to - from > 0.5);
    let r = super::svg::number(radius);
    path.push_str(&format!("A{r} {r} 0 {far} 1 "));
    let end = on_rim(to);
    path.push_str(&format!("{} {}Z", super::svg::number(end.0), super::svg::number(end.1)));
    svg.path(&path, style);
}
