//! `diptych completions`: a shell → its completion script.

use anyhow::Result;
use clap::CommandFactory;

use crate::Status;
use crate::args::{Cli, CompletionsArgs};
use crate::output::Data;

pub(crate) fn run(args: &CompletionsArgs) -> Result<Status> {
    // Into memory first: clap_complete panics where it can't write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "diptych", &mut script);
    let mut data = Data::new();
    data.bytes(&script)?;
    data.flush()?;
    Ok(Status::Done)
}
