//! A run's record: `metrics.jsonl`, one JSON object a line, and `curves.html`, drawn from it.
//!
//! Invariant: after a resume the record is that of an uninterrupted run; lines of steps that are done
//! again are cut off first.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::curves;
use super::session::Progress;
use super::validation::Measured;
use crate::{Error, Result};
use diptych_files::replace;

const RECORD: &str = "metrics.jsonl";
const CURVES: &str = "curves.html";

/// The record of one run, open for more.
pub(super) struct Metrics {
    out: PathBuf,
    file: BufWriter<fs_err::File>,
}

impl Metrics {
    /// Opens the record in the folder `out`, and keeps what it has of the first `step` steps.
    pub(super) fn open(out: &Path, step: usize) -> Result<Self> {
        let path = out.join(RECORD);
        let kept = match path.exists() {
            true => lines(&path)?,
            false => Vec::new(),
        };
        let kept = kept.iter().filter(|line| {
            let of = line.get("step").and_then(Value::as_u64);
            of.is_some_and(|of| of <= step as u64)
        });
        let mut text = String::new();
        kept.for_each(|line| text += &format!("{line}\n"));
        replace(&path, text.as_bytes())?;
        let file = fs_err::OpenOptions::new().append(true).open(&path)?;
        Ok(Self {
            out: out.to_owned(),
            file: BufWriter::new(file),
        })
    }

    /// Records a step.
    pub(super) fn step(&mut self, p: &Progress) -> Result<()> {
        self.line(&json!({
            "step": p.step,
            "loss": p.loss,
            "logit_scale": p.logit_scale,
            "accuracy": p.accuracy,
            "gradient_norm": p.gradient_norm,
            "learning_rate": p.learning_rate,
            "pairs_per_s": p.pairs_per_s,
        }))
    }

    /// Records what was measured after a step.
    pub(super) fn measured(&mut self, step: usize, measured: &Measured) -> Result<()> {
        self.line(&json!({"step": step, "measured": measured}))
    }

    /// Puts what was recorded on disk.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.file
            .flush()
            .map_err(|e| Error::io(&self.out.join(RECORD), e))
    }

    /// Draws the curves anew.
    pub(super) fn draw(&mut self) -> Result<()> {
        self.flush()?;
        let page = curves::page(&lines(&self.out.join(RECORD))?);
        Ok(replace(&self.out.join(CURVES), page.as_bytes())?)
    }

    fn line(&mut self, line: &Value) -> Result<()> {
        writeln!(self.file, "{line}").map_err(|e| Error::io(&self.out.join(RECORD), e))
    }
}

/// The whole lines of a record; one that a kill has cut is left out.
fn lines(path: &Path) -> Result<Vec<Value>> {
    let file = BufReader::new(fs_err::File::open(path)?);
    let mut found = Vec::new();
    for line in file.split(b'\n') {
        let line = line.map_err(|e| Error::io(path, e))?;
        found.extend(serde_json::from_slice::<Value>(&line));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_resumed_record_has_every_step_once() {
        let dir = tempfile::tempdir().unwrap();
        let progress = |step: usize| Progress {
            step,
            steps: 9,
            loss: 1.0 / step as f32,
            logit_scale: 14.0,
            accuracy: 0.5,
            gradient_norm: 1.0,
            learning_rate: 1e-3,
            pairs_per_s: 100.0,
            remaining: Duration::ZERO,
        };
        let mut record = Metrics::open(dir.path(), 0).unwrap();
        for step in 1..=5 {
            record.step(&progress(step)).unwrap();
        }
        record.measured(4, &Measured::default()).unwrap();
        record.draw().unwrap();
        drop(record);
        // A kill in the middle of a line.
        let path = dir.path().join(RECORD);
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, format!("{text}{{\"step\":6,\"lo")).unwrap();

        let mut record = Metrics::open(dir.path(), 4).unwrap();
        record.step(&progress(5)).unwrap();
        record.flush().unwrap();
        let steps: Vec<_> = lines(&path)
            .unwrap()
            .iter()
            .map(|l| l["step"].clone())
            .collect();
        assert_eq!(steps, [1, 2, 3, 4, 4, 5]);
        let page = fs_err::read_to_string(dir.path().join(CURVES)).unwrap();
        assert!(page.contains("<svg") && page.contains("polyline"));
    }
}
