//! `diptych tokenize`: texts → ids, from start to end token, a line each.
//!
//! Invariant: order is kept, and whatever has arrived is answered before more is waited for. A text
//! that fails ends the work: nothing is printed after it, and what has not arrived by then is not
//! read.

use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, Result, anyhow};
use diptych::text::{Overflow, TextError, Tokenizer};
use diptych::weights::{Parts, describe};
use rayon::prelude::*;
use serde::Serialize;

use super::local;
use crate::Status;
use crate::args::TokenizeArgs;
use crate::inputs::STDIN;
use crate::output::{self, Data};

/// Lines that are encoded at once.
const BATCH: usize = 4096;

struct Options {
    tokenizer: Tokenizer,
    context_length: usize,
    overflow: Overflow,
    json: bool,
    json_input: bool,
}

impl Options {
    fn new(args: &TokenizeArgs) -> Result<Self> {
        let description = describe(&local(&args.model.model, Parts::Description)?)?;
        let is_clip = description.tokenizer.as_clip().is_some();
        let limit = if args.json_input && !args.truncate && is_clip {
            usize::MAX
        } else {
            description.config.text_cfg.context_length
        };
        Ok(Self {
            tokenizer: description.tokenizer,
            context_length: args.context_length.unwrap_or(limit),
            overflow: if args.truncate {
                Overflow::Truncate
            } else {
                Overflow::Refuse
            },
            json: args.json,
            json_input: args.json_input,
        })
    }
}

/// A line of JSON.
#[derive(Serialize)]
struct Tokenized<'a> {
    text: &'a str,
    ids: &'a [u32],
}

pub(crate) fn run(args: TokenizeArgs) -> Result<Status> {
    let options = Options::new(&args)?;
    let mut data = Data::new();
    if args.texts != [STDIN] {
        let texts: Vec<Vec<u8>> = args.texts.into_iter().map(String::into_bytes).collect();
        return options.print(&mut data, &texts, |index| format!("text {}", index + 1));
    }
    // Of the size of a batch, so that what has arrived is a good part of one.
    let mut stdin = BufReader::with_capacity(1 << 20, std::io::stdin().lock());
    let mut before = 0;
    loop {
        let lines = arrived(&mut stdin).context("cannot read stdin")?;
        if lines.is_empty() {
            return Ok(Status::Done);
        }
        let status = options.print(&mut data, &lines, |index| {
            format!("stdin: line {}", before + index + 1)
        })?;
        // A program that writes a line and waits for its ids would wait for ever if more were read
        // here.
        if !matches!(status, Status::Done) {
            return Ok(status);
        }
        before += lines.len();
    }
}

/// Waits for a line and takes those that came with it; none at the end.
fn arrived(input: &mut BufReader<impl Read>) -> std::io::Result<Vec<Vec<u8>>> {
    let mut lines = Vec::new();
    while lines.is_empty() || (lines.len() < BATCH && input.buffer().contains(&b'\n')) {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.ends_with(b"\n") {
            line.truncate(line.len() - if line.ends_with(b"\r\n") { 2 } else { 1 });
        }
        lines.push(line);
    }
    Ok(lines)
}

impl Options {
    /// Encodes texts in parallel and prints them in order, up to the first that fails. Of these
    /// texts all that fail are reported.
    fn print(
        &self,
        data: &mut Data,
        texts: &[Vec<u8>],
        name: impl Fn(usize) -> String,
    ) -> Result<Status> {
        let encoded: Vec<Result<String>> = texts.par_iter().map(|text| self.encode(text)).collect();
        let whole = encoded.iter().take_while(|line| line.is_ok()).count();
        for line in encoded[..whole].iter().flatten() {
            data.line(line)?;
        }
        data.flush()?;
        let mut too_long = false;
        for (index, line) in encoded.into_iter().enumerate().skip(whole) {
            if let Err(error) = line {
                too_long |= matches!(error.downcast_ref(), Some(TextError::TooLong { .. }));
                output::error(&error.context(name(index)));
            }
        }
        if too_long {
            output::message("\nhint: `--truncate` cuts what does not fit");
        }
        Ok(if whole == texts.len() {
            Status::Done
        } else {
            Status::SomeFailed
        })
    }

    /// The line that is printed for a text.
    fn encode(&self, bytes: &[u8]) -> Result<String> {
        let text = std::str::from_utf8(bytes).map_err(|_| anyhow!("it is not UTF-8"))?;
        let parsed: String;
        let text = if self.json_input {
            parsed = serde_json::from_str(text).context("it is not a JSON string")?;
            &parsed
        } else {
            text
        };
        let ids = self
            .tokenizer
            .encode(text, self.context_length, self.overflow)?;
        if self.json {
            Ok(serde_json::to_string(&Tokenized { text, ids: &ids })?)
        } else {
            Ok(ids
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" "))
        }
    }
}
