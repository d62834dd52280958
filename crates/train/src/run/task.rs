//! The seam between the loop and what it trains.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::path::Path;

use burn::module::Module;
use diptych::Precision;
use serde::Serialize;

use super::charts::Chart;
use super::model_file::{MODEL_FILE, write_model};
use crate::Result;
use crate::optimise::{Matrices, NamedGradients};
use crate::samples::PassedOver;

/// A thing to train.
///
/// The loop calls, in this order: [`Task::read`] if there is a checkpoint; [`Task::open`];
/// [`Task::start`] if there is none; for each step [`Task::batch`], ahead on another thread,
/// [`Task::gradients`] and [`Task::settle`]; now and then [`Task::measure`] and [`Task::write`].
///
/// **What is trained** is what requires a gradient in the model that [`Task::start`] and
/// [`Task::read`] give; a parameter that is frozen does not. State beside the parameters, such as
/// running means, is kept in the model as parameters without gradients.
///
/// **Two networks against each other**, as in a GAN, are one model with two fields: one checkpoint,
/// one record. In a step that trains one of them, [`Task::gradients`] gives that one's alone, by
/// the number of the step; what has no gradient stays, and so do its moments. Where both move in
/// one step, their gradients are added up ([`NamedGradients::add`]). Both share learning rate and β
/// (AdamW's correction of its means counts the loop's steps), and `ema` is an average of both.
pub trait Task: Sync {
    /// The modules that are trained, on a device with autodiff. A parameter's path in them is its
    /// name.
    type Model: Module;
    /// The data, opened.
    type Data: Sync;
    /// The samples of one step.
    type Batch: Send;
    /// Numbers of one step beside its loss: an object, each field a key of the record's line.
    type Numbers: Clone + Debug + Serialize;
    /// A measurement on the way, as the record has it.
    type Measured: Clone + Debug + Serialize;

    /// Samples, in the plural, as the record calls them: `pairs` makes the key `pairs_per_s`.
    const UNIT: &'static str = "samples";
    /// The parts of [`Task::identity`], in words that go between "another" and "than the run file
    /// has".
    const IDENTIFIED_BY: &'static str = "seed, batch, data or model";
    /// The file that tells a directory of [`Task::write`] from others, which are never overwritten.
    const MARK: &'static str = MODEL_FILE;
    /// Curves of [`Task::Numbers`].
    const CHARTS: &'static [Chart] = &[];
    /// Curves of [`Task::Measured`].
    const MEASURED_CHARTS: &'static [Chart] = &[];

    /// The run file with every default written out.
    ///
    /// # Errors
    /// Whatever keeps it from being written.
    fn echo(&self) -> Result<String>;

    /// All that must stay the same for a resumed run to continue the one that was begun. It is kept
    /// with every checkpoint and so part of the disk's format: explicit, in a version of its
    /// own, with golden values in a test; never `Debug`'s.
    fn identity(&self) -> String;

    /// The string by which measurements can be compared: the run, and what it is measured on.
    fn measured_identity(&self) -> String {
        self.identity()
    }

    /// The format that the factors of Muon's products are rounded to.
    fn precision(&self) -> Precision {
        Precision::F32
    }

    /// The matrices that Muon moves of a parameter, by its name and shape; none, if AdamW moves it.
    /// Muon moves all weights of two or more dimensions, unless a task says otherwise; its authors
    /// leave embeddings and the last layer to AdamW.
    fn matrices(name: &str, shape: &[usize]) -> Option<Matrices> {
        let _ = name;
        Matrices::whole(shape)
    }

    /// Opens the data, and tells what is passed over or is to be warned of. Breaks off if
    /// `on_notice` says so.
    ///
    /// # Errors
    /// Whatever keeps the data from being read.
    fn open(
        &self,
        on_notice: &mut dyn FnMut(Notice) -> ControlFlow<()>,
    ) -> Result<ControlFlow<(), Self::Data>>;

    /// Number of samples, which a resumed run must have again.
    fn samples(&self, data: &Self::Data) -> usize;

    /// Samples in one pass over the data, with repetitions.
    fn pass(&self, data: &Self::Data) -> usize {
        self.samples(data)
    }

    /// The batch of `step`, from 0: a function of the run file, the data and the step alone.
    ///
    /// # Errors
    /// Whatever ends the run; a bad sample should not.
    fn batch(&self, data: &Self::Data, step: usize) -> Result<Self::Batch>;

    /// Samples that others took the place of in a batch, each told once in a run.
    fn skipped<'b>(&self, batch: &'b Self::Batch) -> &'b [PassedOver] {
        let _ = batch;
        &[]
    }

    /// Where each sample of a batch came from, listed if the run diverges by it.
    fn sources<'b>(&self, batch: &'b Self::Batch) -> &'b [String] {
        let _ = batch;
        &[]
    }

    /// The model that a run begins with.
    ///
    /// # Errors
    /// Whatever keeps it from being built.
    fn start(&self) -> Result<Self::Model>;

    /// The gradients of a batch, and what `step`, from 0, tells.
    ///
    /// # Errors
    /// Whatever ends the run. A loss that is no number is the loop's to tell.
    fn gradients(
        &self,
        model: &Self::Model,
        batch: &Self::Batch,
        step: usize,
    ) -> Result<Gradients<Self::Numbers>>;

    /// The model after a step, or the average of several: within its bounds.
    fn settle(&self, model: Self::Model) -> Self::Model {
        model
    }

    /// Measures a model without autodiff, averaged if the run says so.
    ///
    /// # Errors
    /// Whatever ends the run, after the checkpoint has been written.
    fn measure(&self, data: &Self::Data, model: Self::Model)
    -> Result<Measurement<Self::Measured>>;

    /// Writes the model's files into the empty directory `dir`; [`Task::MARK`] is among them.
    ///
    /// # Errors
    /// Those of the disk.
    fn write(&self, dir: &Path, model: &Self::Model, purpose: Purpose) -> Result<()> {
        let _ = purpose;
        write_model(dir, model)
    }

    /// Reads the model that [`Task::write`] wrote into `dir` as a checkpoint. [`super::read_model`]
    /// reads what [`write_model`] wrote.
    ///
    /// # Errors
    /// [`crate::Error::OtherRun`] if it is no model of this run's; those of the files.
    fn read(&self, dir: &Path) -> Result<Self::Model>;
}

/// A notice while data is opened.
#[derive(Clone, Debug)]
pub enum Notice {
    /// All that is passed over for one reason.
    PassedOver(PassedOver),
    /// A sentence: the run file asks for something that the data does not give, or may have lost
    /// its end.
    Warning(String),
}

/// The gradients of one batch, and the numbers that came with them.
pub struct Gradients<N> {
    /// The gradients, by parameter.
    pub named: NamedGradients,
    /// The loss.
    pub loss: f32,
    /// Further numbers of the step, for the record.
    pub numbers: N,
    /// Numbers that must be finite for the run to go on, each with its name: `the logit scale`.
    pub watched: Vec<(&'static str, f32)>,
}

/// A model measured.
#[derive(Clone, Debug)]
pub struct Measurement<M> {
    /// One number to compare models by; the higher, the better.
    pub score: f64,
    /// The measurement, for the record.
    pub measured: M,
    /// Samples that could not be measured on; the loop tells each once.
    pub passed_over: Vec<PassedOver>,
}

/// The use that a model is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To go on from: nothing may be rounded.
    Checkpoint,
    /// To be used: the best model or the finished one, in the number format that the run file asks
    /// for.
    Use,
}
