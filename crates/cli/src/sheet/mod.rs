//! Contact sheet: what a search found → one HTML file, the pictures inside.
//!
//! Invariant: no script and no address of anything but the files found; it needs no network, and
//! what a user or a file's name says is text.

mod url;

use std::fmt::Write;
use std::path::{self, Path};

use crate::base64::base64;

/// How each page begins, by which it can be known again.
const BEGINNING: &str = "<!doctype html>\n<!-- Written by diptych. -->\n";

const STYLE: &str = include_str!("style.css");

/// Something found.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Where it is; relative paths are understood from the working directory.
    pub(crate) path: String,
    pub(crate) score: f32,
    /// What to call it, if not by the name of its file.
    pub(crate) title: Option<String>,
    /// The bytes of a JPEG file.
    pub(crate) thumbnail: Option<Vec<u8>>,
    /// Where in a film it is, in seconds.
    pub(crate) start: Option<f64>,
}

/// The page as HTML: `entries` in their order.
pub(crate) fn page(query: &str, entries: &[Entry]) -> String {
    let query = escape(query);
    let found = match entries.len() {
        0 => "Nothing found".to_owned(),
        1 => "1 result".to_owned(),
        n => format!("{n} results"),
    };
    // The policy repeats the invariant to the browser.
    let mut html = format!(
        "{BEGINNING}<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{query} – Diptych</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>“<bdi>{query}</bdi>”</h1>\n<p>{found}</p>\n<ol>\n"
    );
    for (entry, rank) in entries.iter().zip(1..) {
        html.push_str(&tile(entry, rank));
    }
    html.push_str("</ol>\n</main>\n</body>\n</html>\n");
    html
}

/// A picture, its rank and score, what it is called and where it is.
fn tile(entry: &Entry, rank: usize) -> String {
    let name = escape(entry.title.as_deref().unwrap_or(file_name(&entry.path)));
    // Long paths break between folders before they break anywhere.
    let path = escape(&entry.path).replace('/', "/<wbr>");
    let start = entry.start.filter(|secs| secs.is_finite() && *secs >= 0.0);
    let (open, close) = match address(&entry.path, start) {
        Some(address) => (format!("a class=\"tile\" href=\"{address}\""), "a"),
        None => ("div class=\"tile\"".to_owned(), "div"),
    };
    let mut html = format!(
        "<li><{open}>\n{}\n<span class=\"facts\"><span>{rank}</span>",
        picture(&name, entry.thumbnail.as_deref())
    );
    if let Some(start) = start {
        put(&mut html, format_args!("<span>{}</span>", clock(start)));
    }
    put(
        &mut html,
        format_args!(
            "<b>{:.3}</b></span>\n<bdi class=\"name\">{name}</bdi>\n\
             <bdi class=\"path\">{path}</bdi>\n</{close}></li>\n",
            entry.score
        ),
    );
    html
}

/// A picture inside the page, or what stands in for it; `name` is escaped.
fn picture(name: &str, jpeg: Option<&[u8]>) -> String {
    match jpeg {
        Some(jpeg) => format!(
            "<img class=\"picture\" alt=\"{name}\" src=\"data:image/jpeg;base64,{}\">",
            base64(jpeg)
        ),
        None => "<span class=\"picture missing\">no preview</span>".to_owned(),
    }
}

/// Where a browser finds the file; none if the path leads nowhere.
fn address(path: &str, start: Option<f64>) -> Option<String> {
    let absolute = path::absolute(path).ok()?;
    let mut address = url::file(absolute.to_str()?, cfg!(windows));
    if let Some(start) = start {
        // Media Fragments URI 1.0: a browser plays from there.
        put(&mut address, format_args!("#t={start}"));
    }
    Some(address)
}

/// The last part of a path, or all of one that has none.
fn file_name(path: &str) -> &str {
    let name = Path::new(path).file_name().and_then(|name| name.to_str());
    name.unwrap_or(path)
}

/// `1:05`, `1:02:03`; whole seconds.
fn clock(secs: f64) -> String {
    let secs = secs as u64;
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    match hours {
        0 => format!("{minutes}:{secs:02}"),
        _ => format!("{hours}:{minutes:02}:{secs:02}"),
    }
}

/// Appends text. Writing to a string can't fail.
fn put(html: &mut String, text: std::fmt::Arguments) {
    let _ = html.write_fmt(text);
}

/// Text with the characters that mean something in HTML written out.
pub(crate) fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' | '\t' => html.push(c),
            // No other control character may be in HTML, not even written out.
            _ if c.is_control() => html.push(char::REPLACEMENT_CHARACTER),
            _ => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests;
