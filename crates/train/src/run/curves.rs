//! A run's curves as one page that needs nothing else: HTML with SVG in it.

use std::fmt::Write;

use serde_json::Value;

use super::charts::{self, Chart};
use super::scale::Scale;

/// Size of a chart's plot, and of the margins that hold its labels, in SVG units.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 22.0;

/// Points of a curve at most; a longer run is averaged down to as many.
const POINTS: usize = 400;

/// A named curve: values by step.
struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

/// The page of a record's lines, in which `speed` is the key of the samples a second. `of_steps`
/// are the task's charts of its steps, `of_measurements` those of what was measured.
pub(super) fn page(
    lines: &[Value],
    speed: &str,
    [of_steps, of_measurements]: [&[Chart]; 2],
) -> String {
    let of_key = |key: &str, title: &str| {
        let curve = Curve {
            name: key.to_owned(),
            points: thinned(values(lines, &format!("/{key}"))),
        };
        chart(title, &[curve])
    };
    let of_task = |charts: &[Chart]| -> String {
        let curves = |chart: &Chart| -> Vec<Curve> {
            let all = chart.curves.iter();
            all.flat_map(|curve| curves(lines, *curve)).collect()
        };
        let drawn = charts.iter().map(|of| chart(of.title, &curves(of)));
        drawn.collect()
    };
    let charts = [
        of_key("loss", "Loss"),
        of_task(of_steps),
        of_key("gradient_norm", "Norm of the gradient"),
        of_key("learning_rate", "Learning rate"),
        of_key(speed, &speed_title(speed)),
        of_task(of_measurements),
    ]
    .concat();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Training curves</title>\n\
         <style>\n{STYLE}</style></head>\n<body>\n<h1>Training curves</h1>\n{charts}</body></html>\n"
    )
}

/// The page follows the reader's light or dark mode; in the dark, curves are lighter.
const STYLE: &str = "\
:root { color-scheme: light dark; --c0: #2a78d6; --c1: #c85f1b; --c2: #2f8a4f; --c3: #b5489b; --c4: #7d6d24; --c5: #5b6b7a; }
@media (prefers-color-scheme: dark) {
:root { --c0: #6aa9ef; --c1: #f0a06a; --c2: #6cc48a; --c3: #d987c5; --c4: #c3b45e; --c5: #9fb0c0; }
}
body { font: 14px system-ui, sans-serif; max-width: 640px; margin: 2em auto; background: Canvas; color: CanvasText; }
h2 { font-size: 1em; margin: 1.5em 0 .3em; }
svg text { fill: currentColor; font-size: 11px; }
.grid { stroke: currentColor; opacity: .15; }
.curve { fill: none; stroke-width: 1.5; }
.c0 { --own: var(--c0) } .c1 { --own: var(--c1) } .c2 { --own: var(--c2) }
.c3 { --own: var(--c3) } .c4 { --own: var(--c4) } .c5 { --own: var(--c5) }
polyline { stroke: var(--own); }
svg text.name { fill: var(--own); }
";

/// Colours in [`STYLE`].
const COLOURS: usize = 6;

/// The numbers at a JSON pointer, by step.
fn values(lines: &[Value], pointer: &str) -> Vec<(f64, f64)> {
    let point = |line: &Value| {
        let step = line.get("step")?.as_f64()?;
        let value = line.pointer(pointer)?.as_f64()?;
        value.is_finite().then_some((step, value))
    };
    lines.iter().filter_map(point).collect()
}

/// The curves of a task's in the record.
fn curves(lines: &[Value], curve: charts::Curve) -> Vec<Curve> {
    match curve {
        charts::Curve::At { name, number } => vec![Curve {
            name: name.to_owned(),
            points: thinned(values(lines, number)),
        }],
        charts::Curve::Each { list, name, number } => each(lines, list, name, number),
    }
}

/// A curve for every name that objects of a list have.
fn each(lines: &[Value], list: &str, name: &str, number: &str) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for line in lines {
        let Some(step) = line.get("step").and_then(Value::as_f64) else {
            continue;
        };
        let objects = line.pointer(list).and_then(Value::as_array);
        for object in objects.into_iter().flatten() {
            let name = object.pointer(name).and_then(Value::as_str);
            let value = object.pointer(number).and_then(Value::as_f64);
            let (Some(name), Some(value)) = (name, value) else {
                continue;
            };
            match curves.iter_mut().find(|curve| curve.name == name) {
                Some(curve) => curve.points.push((step, value)),
                None => curves.push(Curve {
                    name: name.to_owned(),
                    points: vec![(step, value)],
                }),
            }
        }
    }
    curves
}

/// `pairs_per_s` as a heading: `Pairs a second`.
fn speed_title(key: &str) -> String {
    let unit = key.strip_suffix("_per_s").unwrap_or(key);
    let mut letters = unit.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{} a second", first.unwrap_or_default(), letters.as_str())
}

/// Means of neighbours, so that a page stays small.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let each = points.len().div_ceil(POINTS).max(1);
    let mean = |group: &[(f64, f64)]| {
        let n = group.len() as f64;
        let sum = group.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
        (sum.0 / n, sum.1 / n)
    };
    points.chunks(each).map(mean).collect()
}

/// A chart with a heading, or nothing where there are no points.
fn chart(title: &str, curves: &[Curve]) -> String {
    let all = || curves.iter().flat_map(|c| &c.points);
    if all().next().is_none() {
        return String::new();
    }
    let range = |pick: fn(&(f64, f64)) -> f64| {
        let low = all().map(pick).fold(f64::INFINITY, f64::min);
        let high = all().map(pick).fold(f64::NEG_INFINITY, f64::max);
        (low, high)
    };
    let (from, to) = match range(|p| p.0) {
        (from, to) if to > from => (from, to),
        (only, _) => (only, only + 1.0),
    };
    let values = Scale::around(range(|p| p.1));
    let (low, high) = values.ends();
    let x = |step: f64| LEFT + (step - from) / (to - from) * WIDTH;
    let y = |value: f64| 8.0 + (high - value) / (high - low) * HEIGHT;

    let mut svg = format!(
        "<h2>{}</h2>\n<svg viewBox=\"0 0 {} {}\" role=\"img\">\n",
        escaped(title),
        LEFT + WIDTH + 8.0,
        HEIGHT + BOTTOM + 8.0,
    );
    for tick in values.ticks() {
        let at = y(tick.value());
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>",
            LEFT + WIDTH,
            LEFT - 6.0,
            at + 4.0,
        );
    }
    let below = HEIGHT + BOTTOM;
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{below}\" text-anchor=\"end\">step</text>",
        LEFT - 6.0
    );
    for tick in Scale::of_steps(from, to).ticks() {
        if (from..=to).contains(&tick.value()) {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{below}\" text-anchor=\"middle\">{tick}</text>",
                x(tick.value()),
            );
        }
    }
    for (i, curve) in curves.iter().enumerate() {
        let colour = i % COLOURS;
        let points: Vec<String> = curve
            .points
            .iter()
            .map(|&(step, value)| format!("{:.1},{:.1}", x(step), y(value)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline class=\"curve c{colour}\" points=\"{}\"/>",
            points.join(" ")
        );
        if curves.len() > 1 {
            let last = curve.points.last().map_or(0.0, |p| p.1);
            let _ = writeln!(
                svg,
                "<text class=\"name c{colour}\" x=\"{}\" y=\"{}\">{} {}</text>",
                LEFT + 8.0,
                20 + 14 * i,
                escaped(&curve.name),
                number(last),
            );
        }
    }
    svg + "</svg>\n"
}

/// A number with three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-2..1e4).contains(&size) => format!("{value:.1e}"),
        size if size < 1.0 => format!("{value:.3}"),
        size if size < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

/// Text that is safe in HTML: a set is named by its file, which can have any name.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_run_becomes_a_small_page_and_names_are_escaped() {
        let mut lines: Vec<Value> = (1..=20_000)
            .map(|step| json!({"step": step, "loss": 1.0 / f64::from(step)}))
            .collect();
        let sets = json!([{"name": "<b>.tar", "share": 0.25}]);
        lines.push(json!({"step": 5, "measured": {"sets": sets, "error": [0.1, 0.2]}}));
        lines.push(json!({"step": 6, "loss": null}));
        const MEASURED: &[Chart] = &[
            Chart {
                title: "Error",
                curves: &[charts::Curve::At {
                    name: "error",
                    number: "/measured/error/1",
                }],
            },
            Chart {
                title: "Share of sets",
                curves: &[charts::Curve::Each {
                    list: "/measured/sets",
                    name: "/name",
                    number: "/share",
                }],
            },
        ];
        let page = page(&lines, "pairs_per_s", [&[], MEASURED]);
        assert!(page.contains("prefers-color-scheme: dark"));
        // Round numbers on both axes: mean losses up to 0.09, steps to 19,975.
        for tick in [
            ">0.02</text>",
            ">0.08</text>",
            ">5000</text>",
            ">15000</text>",
        ] {
            assert!(page.contains(tick), "no {tick} in {page}");
        }
        assert!(page.len() < 30_000, "{} bytes", page.len());
        assert!(page.contains("Share of sets"));
        assert!(!page.contains("<b>") && !page.contains("NaN"));
        assert_eq!(
            page.matches("<h2>").count(),
            3,
            "loss, error, share of sets"
        );
    }
}
