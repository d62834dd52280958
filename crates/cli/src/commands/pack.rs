//! `diptych pack`: a table, a folder or a caption file → WebDataset shards, and a report.

use std::ops::ControlFlow;

use anyhow::{Result, anyhow};
use diptych_train::pack::{Packing, Report, pack};
use indicatif::ProgressBar;

use crate::args::PackArgs;
use crate::output::{self, Data, message};
use crate::{Status, interrupt, progress};

impl From<PackArgs> for Packing {
    fn from(args: PackArgs) -> Self {
        Self {
            path: args.source,
            source: args.format,
            images: args.images,
            image_column: args.image_column,
            text_column: args.text_column,
            out: args.out,
            name: args.name,
            shard_size: args.shard_size,
            resize: args.resize,
            encoding: args.encoding,
            decode: args.limit.into(),
            strict: args.strict,
        }
    }
}

pub(crate) fn run(args: PackArgs) -> Result<Status> {
    let json = args.json;
    interrupt::watch("stopping, nothing is written")?;
    let mut bar: Option<ProgressBar> = None;
    let packed = pack(&args.into(), &mut |now| {
        bar.get_or_insert_with(|| progress::inputs(now.total))
            .set_position(now.done as u64);
        if interrupt::asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    bar.iter().for_each(ProgressBar::finish_and_clear);
    let Some(report) = packed? else {
        return Ok(Status::Interrupted);
    };
    tell(&report);
    if json {
        let mut data = Data::new();
        data.json(&report)?;
        data.flush()?;
    }
    Ok(match report.skipped {
        0 => Status::Done,
        _ => Status::SomeFailed,
    })
}

/// Tells what was passed over and why, then what was packed.
fn tell(report: &Report) {
    for passed_over in &report.reasons {
        output::error(&anyhow!("{passed_over}"));
    }
    let Report {
        samples,
        captions,
        duplicates,
        skipped,
        shards,
        bytes,
        ..
    } = report;
    message(format_args!(
        "{samples} samples · {captions} captions · {duplicates} duplicates · {skipped} skipped · \
         {} shards · {:.1} MB",
        shards.len(),
        *bytes as f64 / 1e6
    ));
}
