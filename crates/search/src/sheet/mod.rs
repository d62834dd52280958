//! Contact sheet: what a search found → one HTML page, the pictures inside.
//!
//! Invariant: no script and no address of anything but the files found; it needs no network, and
//! what a user or a file's name says is text.

mod thumbnail;
mod url;

use std::fmt::Write;
use std::path::{self, Path};

use base64::prelude::{BASE64_STANDARD, Engine};
use diptych::image::DecodeOptions;
use diptych_files::{quoted, unspell};
use rayon::prelude::*;

pub use self::thumbnail::{THUMBNAIL, thumbnail};
use crate::query::{Found, FoundFile};

/// First bytes of each page, by which it can be known again.
pub const BEGINNING: &str = "<!doctype html>\n<!-- Written by diptych. -->\n";

const STYLE: &str = include_str!("style.css");

/// A tile of a page.
#[derive(Clone, Debug)]
pub struct Tile {
    /// Where its file is, as [`diptych_files::spell`] spells it; relative paths are understood
    /// from the working directory.
    pub path: String,
    /// Cosine, which is shown with three decimals.
    pub score: f32,
    /// Name to show, if not its file's.
    pub title: Option<String>,
    /// The bytes of a JPEG file.
    pub thumbnail: Option<Vec<u8>>,
    /// Where in a film it is, in seconds.
    pub start: Option<f64>,
    /// Other files with the same content.
    pub copies: usize,
    /// Whether its file is no longer there.
    pub gone: bool,
}

impl Tile {
    /// A tile with the thumbnail of the content's first file, if it is a picture that can be read.
    fn of(found: &Found, options: &DecodeOptions) -> Self {
        let FoundFile { path, gone } = found.first();
        Self {
            path: path.clone(),
            score: found.score,
            title: None,
            thumbnail: thumbnail(&unspell(path), options),
            start: found.part.span.map(|span| span.start),
            copies: found.copies(),
            gone: *gone,
        }
    }
}

/// The page of what a query found, with a thumbnail for each content.
pub fn of_found(query: &str, found: &[Found], options: &DecodeOptions) -> String {
    let tiles = found.par_iter().map(|found| Tile::of(found, options));
    let tiles: Vec<Tile> = tiles.collect();
    page(query, &tiles)
}

/// The page as HTML: `tiles` in their order.
pub fn page(query: &str, tiles: &[Tile]) -> String {
    let query = escape(query);
    let found = match tiles.len() {
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
    for (tile, rank) in tiles.iter().zip(1..) {
        html.push_str(&item(tile, rank));
    }
    html.push_str("</ol>\n</main>\n</body>\n</html>\n");
    html
}

/// A picture, its rank and score, what it is called and where it is.
fn item(tile: &Tile, rank: usize) -> String {
    let path = unspell(&tile.path);
    let own = || quoted(path.file_name().map_or(&path, Path::new));
    let name = escape(&tile.title.as_deref().map_or_else(own, Into::into));
    // Long paths break between folders before they break anywhere.
    let shown = escape(&quoted(&path)).replace('/', "/<wbr>");
    let start = tile.start.filter(|secs| secs.is_finite() && *secs >= 0.0);
    let (open, close) = match address(&path, start) {
        Some(address) => (format!("a class=\"tile\" href=\"{address}\""), "a"),
        None => ("div class=\"tile\"".to_owned(), "div"),
    };
    let mut html = format!(
        "<li><{open}>\n{}\n<span class=\"facts\"><span>{rank}</span>",
        picture(&name, tile)
    );
    if let Some(start) = start {
        put(&mut html, format_args!("<span>{}</span>", clock(start)));
    }
    if tile.copies > 0 {
        let copies = copies(tile.copies);
        put(&mut html, format_args!("<span>{copies}</span>"));
    }
    put(
        &mut html,
        format_args!(
            "<b>{:.3}</b></span>\n<bdi class=\"name\">{name}</bdi>\n\
             <bdi class=\"path\">{shown}</bdi>\n</{close}></li>\n",
            tile.score
        ),
    );
    html
}

/// A picture inside the page, or what stands in for it; `name` is escaped.
fn picture(name: &str, tile: &Tile) -> String {
    let stand_in = if tile.gone { "gone" } else { "no preview" };
    match &tile.thumbnail {
        Some(jpeg) => format!(
            "<img class=\"picture\" alt=\"{name}\" src=\"data:image/jpeg;base64,{}\">",
            BASE64_STANDARD.encode(jpeg)
        ),
        None => format!("<span class=\"picture missing\">{stand_in}</span>"),
    }
}

/// `+1 copy`, `+29 copies`: files that are told beside another.
pub fn copies(n: usize) -> String {
    format!("+{n} {}", if n == 1 { "copy" } else { "copies" })
}

/// Where a browser finds the file; none if the path leads nowhere.
fn address(path: &Path, start: Option<f64>) -> Option<String> {
    let absolute = path::absolute(path).ok()?;
    let mut address = url::file(absolute.as_os_str().as_encoded_bytes(), cfg!(windows));
    if let Some(start) = start {
        // Media Fragments URI 1.0: a browser plays from there.
        put(&mut address, format_args!("#t={start}"));
    }
    Some(address)
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
pub fn escape(text: &str) -> String {
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
