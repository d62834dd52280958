//! The demo's page: one file with pictures and style inside, which asks for nothing else.
//!
//! Invariant: no script, no address of anything outside; what a user typed is escaped.

use std::fmt::Write;

use super::{Classified, Report, Search};
use base64::prelude::{BASE64_STANDARD, Engine};
use diptych_search::sheet::escape;

/// First bytes of each page, by which the next demo knows it.
pub(super) const BEGINNING: &str = "<!doctype html>\n<!-- Written by diptych demo. -->\n";

const STYLE: &str = include_str!("page.css");

/// Guesses under each picture.
const GUESSES: usize = 3;

/// The page as HTML.
pub(super) fn html(report: &Report) -> String {
    let n = report.n_pictures;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut html = format!(
        "{BEGINNING}<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Diptych: {n} drawings</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>{n} drawings, {n} labels</h1>\n\
         <p>Diptych drew these pictures itself and asked the model <b>{model}</b> which of the {n} \
         labels fits each. The right one came first for <b>{first} of {n}</b> ({top_1}; guessing \
         reaches {chance_1}), and among the first five for <b>{five} of {n}</b> ({top_5}; guessing \
         reaches {chance_5}). Drawings are not photographs: this shows the tool at work more than \
         it measures the model.</p>\n",
        model = escape(report.model),
        first = report.right(1),
        top_1 = percent(report.top_1),
        chance_1 = percent(report.chance_top_1),
        five = report.right(5),
        top_5 = percent(report.top_5),
        chance_5 = percent(report.chance_top_5),
    );
    html.push_str("<h2>The gallery</h2>\n<div class=\"grid\">\n");
    for picture in &report.pictures {
        html.push_str(&figure(picture));
    }
    html.push_str("</div>\n<h2>Searches</h2>\n");
    for search in &report.searches {
        html.push_str(&found(search, &report.pictures));
    }
    html.push_str("</body>\n</html>\n");
    html
}

/// A search and its hits.
fn found(search: &Search, pictures: &[Classified]) -> String {
    let mut html = format!(
        "<section>\n<h3>“{}”</h3>\n<div class=\"grid small\">\n",
        escape(search.query)
    );
    for hit in &search.hits {
        let label = escape(hit.label);
        put(
            &mut html,
            format_args!(
                "<figure>{}<figcaption>{label} <span>{:.3}</span></figcaption></figure>\n",
                image(&label, &pictures[hit.picture].png),
                hit.cosine
            ),
        );
    }
    html.push_str("</div>\n</section>\n");
    html
}

/// A picture, its label, and the model's first guesses.
fn figure(picture: &Classified) -> String {
    let (class, mark) = match picture.rank {
        1 => ("right", "✓".to_owned()),
        rank => ("wrong", format!("✗ came {}", ordinal(rank))),
    };
    let label = escape(picture.label);
    let mut html = format!(
        "<figure class=\"{class}\">{}<figcaption>{label} <span>{mark}</span></figcaption>\n<ol>",
        image(&label, &picture.png)
    );
    for guess in picture.predictions.iter().take(GUESSES) {
        let percent = 100.0 * guess.probability;
        let class = if guess.label == picture.label {
            " class=\"hit\""
        } else {
            ""
        };
        put(
            &mut html,
            format_args!(
                "<li{class} style=\"--share:{percent:.1}%\">{} <span>{percent:.1} %</span></li>",
                escape(&guess.label)
            ),
        );
    }
    html.push_str("</ol></figure>\n");
    html
}

/// A picture inside the page; `label` is escaped.
fn image(label: &str, png: &[u8]) -> String {
    format!(
        "<img alt=\"{label}\" src=\"data:image/png;base64,{}\">",
        BASE64_STANDARD.encode(png)
    )
}

/// Appends text. Writing to a string can't fail.
fn put(html: &mut String, text: std::fmt::Arguments) {
    let _ = html.write_fmt(text);
}

/// `2nd`, `3rd`, `11th`.
fn ordinal(n: usize) -> String {
    let suffix = match (n % 100, n % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{n}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_typed_is_text_on_the_page() {
        let report = Report {
            model: "<script>\"&",
            n_pictures: 0,
            top_1: 0.0,
            top_5: 0.0,
            chance_top_1: 0.0,
            chance_top_5: 0.0,
            pictures: Vec::new(),
            searches: Vec::new(),
            page: String::new(),
        };
        let html = html(&report);
        assert!(html.contains("<b>&lt;script&gt;&quot;&amp;</b>"), "{html}");
        assert!(!html.contains("<script"));
    }

    #[test]
    fn ordinals_are_spelt_as_people_do() {
        let spelt = [1, 2, 3, 4, 11, 12, 13, 21, 52, 111].map(ordinal);
        let want = [
            "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "52nd", "111th",
        ];
        assert_eq!(spelt, want);
    }
}
