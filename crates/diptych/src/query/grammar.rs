//! A query as it is typed → its terms' weights and words.
//!
//! Flow: query → **terms** → [`Expression`](super::Expression).
//! Invariant: what is no grammar is text; what looks like grammar and can't be followed is an
//! error, never text.

/// The words of a term.
#[derive(Debug, PartialEq)]
pub(super) enum Words {
    /// Written in quotes: a text, whatever it looks like.
    Quoted(String),
    /// A picture or a text, as the caller has it.
    Plain(String),
}

/// A text as a term that stands for it whatever it looks like: in quotes. A sign and a weight may
/// come before it.
///
/// ```
/// use diptych::{Expression, What, verbatim};
///
/// let query = format!("beach -{}", verbatim("a + b"));
/// let parsed = Expression::<()>::parse(&query, |_| Ok(None))?;
/// assert_eq!(parsed.terms[1].what, What::Text("a + b".into()));
/// # Ok::<(), diptych::Error>(())
/// ```
pub fn verbatim(text: &str) -> String {
    let inside = text.replace('\\', r"\\").replace('"', r#"\""#);
    format!("\"{inside}\"")
}

/// The terms of a query, each with its weight, at least one.
pub(super) fn terms(query: &str) -> Result<Vec<(f32, Words)>, String> {
    let mut rest = query.trim();
    let mut terms = Vec::new();
    while !rest.is_empty() {
        let (weight, begin) = weight(rest)?;
        let (words, after) = match begin.strip_prefix('"') {
            Some(inside) => in_quotes(inside)?,
            None => plain(begin),
        };
        terms.push((weight, words));
        rest = after.trim_start();
    }
    if terms.is_empty() {
        return Err("it is empty".into());
    }
    Ok(terms)
}

/// Reads a term's sign and weight: returns the factor of the term, and the words after them.
fn weight(term: &str) -> Result<(f32, &str), String> {
    let word = first_word(term);
    let Some(sign) = sign(word) else {
        return Ok((1.0, term));
    };
    let (unsigned, words) = (&word[1..], &term[1..]);
    if unsigned.starts_with(['+', '-']) {
        return Err(format!(
            "`{word}` has two signs, wanted one, as in `{unsigned}`; a text that begins with a sign is quoted: `{}{}`",
            &word[..1],
            verbatim(unsigned)
        ));
    }
    let begins_like_one = unsigned
        .trim_start_matches('.')
        .starts_with(char::is_numeric);
    let Some((number, _)) = unsigned.split_once(':').filter(|_| begins_like_one) else {
        return Ok((sign, words));
    };
    let parsed = number
        .parse()
        .ok()
        .filter(|weight: &f32| weight.is_finite());
    let Some(weight) = parsed else {
        return Err(format!(
            "`{number}` in `{word}` is no weight, which is a number with a point, as in `+0.5:dog`; a text with a colon is \
             quoted: `{}{}`",
            &word[..1],
            verbatim(unsigned)
        ));
    };
    let words = words[number.len() + 1..].trim_start();
    if words.is_empty() || self::sign(first_word(words)).is_some() {
        return Err(format!("there is nothing after the weight of `{word}`"));
    }
    Ok((sign * weight, words))
}

/// 1 or −1 for a word that begins with a sign. One that is all punctuation has none: `-`, `--`,
/// `+/-`.
fn sign(word: &str) -> Option<f32> {
    let sign = match word.chars().next()? {
        '+' => 1.0,
        '-' => -1.0,
        _ => return None,
    };
    let unsigned = &word[1..];
    let is_term =
        unsigned.starts_with('"') || unsigned.contains(|c: char| !c.is_ascii_punctuation());
    is_term.then_some(sign)
}

/// Words up to the next sign, and what comes after them. They are as written, but for backslashes
/// that escape.
fn plain(term: &str) -> (Words, &str) {
    let mut words = String::new();
    let mut rest = term;
    loop {
        let next = rest.trim_start();
        let word = first_word(next);
        if word.is_empty() || (!words.is_empty() && sign(word).is_some()) {
            return (Words::Plain(words), next);
        }
        words.push_str(&rest[..rest.len() - next.len()]);
        let escaped = word.strip_prefix('\\');
        let escaped = escaped.filter(|word| word.starts_with(['+', '-', '"']));
        words.push_str(escaped.unwrap_or(word));
        rest = &next[word.len()..];
    }
}

/// A text after its opening quote, and what comes after the closing one.
fn in_quotes(inside: &str) -> Result<(Words, &str), String> {
    let mut text = String::new();
    let mut chars = inside.char_indices();
    let after = loop {
        let Some((at, c)) = chars.next() else {
            return Err(format!(
                "the quote before `{inside}` is not closed; one that belongs to a text is written \\\""
            ));
        };
        match c {
            '"' => break &inside[at + 1..],
            '\\' if inside[at + 1..].starts_with(['"', '\\']) => {
                text.extend(chars.next().map(|(_, escaped)| escaped));
            }
            _ => text.push(c),
        }
    };
    if text.trim().is_empty() {
        return Err("there is nothing in its quotes".into());
    }
    let next = after.trim_start();
    let is_apart = next.len() < after.len() && sign(first_word(next)).is_some();
    if !next.is_empty() && !is_apart {
        return Err(format!(
            "after the quoted `{text}` comes `{next}`, wanted the end or a sign; a quote that belongs to a text is written \\\""
        ));
    }
    Ok((Words::Quoted(text), after))
}

/// All before the first white space.
fn first_word(text: &str) -> &str {
    text.split(char::is_whitespace).next().unwrap_or_default()
}
