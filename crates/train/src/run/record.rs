//! A run's record: `metrics.jsonl`, one JSON object a line, and `curves.html`, drawn from it.
//!
//! Invariant: after a resume the record is that of an uninterrupted run; lines of steps that are
//! done again are cut off first.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::charts::Chart;
use super::curves;
use super::event::Progress;
use super::task::Task;
use crate::{Error, Result};
use diptych_files::replace;

const RECORD: &str = "metrics.jsonl";
const CURVES: &str = "curves.html";

/// The record of one run, open for more.
pub(super) struct Record {
    out: PathBuf,
    file: BufWriter<fs_err::File>,
    /// The key of the samples a second.
    speed: String,
    /// The charts of a step's numbers, and of what was measured.
    charts: [&'static [Chart]; 2],
}

impl Record {
    /// Opens the record in the folder `out`, and keeps what it has of the first `step` steps.
    pub(super) fn open<T: Task>(out: &Path, step: usize) -> Result<Self> {
        Self::of_unit(out, step, T::UNIT, [T::CHARTS, T::MEASURED_CHARTS])
    }

    fn of_unit(out: &Path, step: usize, unit: &str, charts: [&'static [Chart]; 2]) -> Result<Self> {
        let path = out.join(RECORD);
        let kept = if path.exists() {
            lines(&path)?
        } else {
            Vec::new()
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
            speed: format!("{unit}_per_s"),
            charts,
        })
    }

    /// Records a step.
    pub(super) fn step<N: Serialize>(&mut self, p: &Progress<N>) -> Result<()> {
        let mut line = Map::new();
        line.insert("step".into(), json!(p.step));
        line.insert("loss".into(), json!(p.loss));
        match serde_json::to_value(&p.numbers).map_err(io::Error::from)? {
            Value::Object(numbers) => line.extend(numbers),
            Value::Null => {} // a task without numbers
            other => {
                line.insert("numbers".into(), other);
            }
        }
        line.insert("gradient_norm".into(), json!(p.gradient_norm));
        line.insert("learning_rate".into(), json!(p.learning_rate));
        line.insert(self.speed.clone(), json!(p.samples_per_s));
        self.line(&line.into())
    }

    /// Records what was measured after a step.
    pub(super) fn measured(&mut self, step: usize, measured: &impl Serialize) -> Result<()> {
        let measured = serde_json::to_value(measured).map_err(io::Error::from)?;
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
        let lines = lines(&self.out.join(RECORD))?;
        let page = curves::page(&lines, &self.speed, self.charts);
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
            numbers: json!({"accuracy": 0.5}),
            gradient_norm: 1.0,
            learning_rate: 1e-3,
            samples_per_s: 100.0,
            remaining: Duration::ZERO,
        };
        let open = |step| Record::of_unit(dir.path(), step, "pairs", [&[], &[]]);
        let mut record = open(0).unwrap();
        for step in 1..=5 {
            record.step(&progress(step)).unwrap();
        }
        record.measured(4, &json!({"error": 0.25})).unwrap();
        record.draw().unwrap();
        drop(record);
        // A kill in the middle of a line.
        let path = dir.path().join(RECORD);
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, format!("{text}{{\"step\":6,\"lo")).unwrap();

        let mut record = open(4).unwrap();
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
