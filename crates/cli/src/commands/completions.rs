//! `diptych completions`: a shell → its completion script.

use anyhow::Result;

use crate::Status;
use crate::args::{self, CompletionsArgs};
use crate::output::Data;

pub(crate) fn run(args: &CompletionsArgs) -> Result<Status> {
    // Into memory first: clap_complete panics where it can't write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "diptych", &mut script);
    let mut data = Data::new();
    data.bytes(&script)?;
    data.flush()?;
    Ok(Status::Done)
}
