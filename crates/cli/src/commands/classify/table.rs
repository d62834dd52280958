//! Predictions as a table, a line a label: separated by commas as RFC 4180 has it, or by tabs, with
//! the same quotes.

use std::path::Path;

use anyhow::Result;
use csv::{Writer, WriterBuilder};
use diptych::Prediction;

use crate::output::Data;

/// A table of one delimiter.
pub(super) struct Table {
    delimiter: u8,
}

impl Table {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter }
    }

    /// The line of names.
    pub(super) fn header(&self, data: &mut Data) -> Result<()> {
        self.write(data, |rows| {
            rows.write_record(["path", "label", "probability", "cosine"])
        })
    }

    /// A picture's lines, best label first.
    pub(super) fn rows(
        &self,
        data: &mut Data,
        path: &Path,
        predictions: &[Prediction],
    ) -> Result<()> {
        self.write(data, |rows| {
            for prediction in predictions {
                rows.write_record([
                    path.as_os_str().as_encoded_bytes(), // as it is, UTF-8 or not
                    prediction.label.as_bytes(),
                    prediction.probability.to_string().as_bytes(),
                    prediction.cosine.to_string().as_bytes(),
                ])?;
            }
            Ok(())
        })
    }

    fn write(
        &self,
        data: &mut Data,
        fill: impl FnOnce(&mut Writer<Vec<u8>>) -> csv::Result<()>,
    ) -> Result<()> {
        let mut rows = WriterBuilder::new()
            .delimiter(self.delimiter)
            .from_writer(Vec::new());
        fill(&mut rows)?;
        data.bytes(&rows.into_inner().map_err(|e| e.into_error())?)
    }
}
