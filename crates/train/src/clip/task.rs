//! CLIP's answers to what the loop asks.

use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use super::batch::{Batch, Batches};
use super::gradients::{BatchGradients, Contrastive, accuracy};
use super::init::{is_same_model, start};
use super::loss::Loss;
use super::matrices::hidden;
use super::run_file::Run;
use super::validation::{Measured, Validator};
use crate::optimise::Matrices;
use crate::run::{Chart, Curve, Gradients, Measurement, Notice, Purpose, Task};
use crate::samples::{PassedOver, Tally};
use crate::{Error, Result};
use diptych::model::{BuildOptions, ClipModel, named_tensors};
use diptych::weights::{
    CONFIG_FILE, Checkpoint, Description, Dtype, describe, fill_checkpoint, fits_open_clip,
};
use diptych::{Device, Precision};

/// A run of CLIP, to be trained by [`crate::run::train`].
pub struct ClipTask<'r> {
    run: &'r Run,
    description: Description,
    contrastive: Contrastive,
}

/// The data of a run, opened.
pub struct Opened {
    batches: Batches,
    validator: Validator,
}

/// Numbers of one step beside its loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Numbers {
    /// The factor on cosines, `exp(t)`, that the loss was computed with.
    pub logit_scale: f32,
    /// Share of the batch's pictures whose most similar text is true of them.
    pub accuracy: f32,
}

impl<'r> ClipTask<'r> {
    /// A run on `device`, of whose architecture the description is read, and nothing else yet.
    ///
    /// # Errors
    /// [`Error::Named`] with those of [`describe`]; [`Error::Unsupported`] if architecture or
    /// device can't do as the run says.
    pub fn new(run: &'r Run, device: Device) -> Result<Self> {
        let description =
            describe(&run.architecture).map_err(|error| Error::named("architecture", error))?;
        let description = match &run.tokenizer {
            Some(path) if !path.exists() => {
                return Err(Error::Unsupported {
                    origin: path.display().to_string(),
                    reason: "is not there; `train --learn-tokenizer` makes it".into(),
                });
            }
            Some(path) => description
                .with_tokenizer(path)
                .map_err(|error| Error::named("tokenizer", error))?,
            None => description,
        };
        Self::with_description(run, description, device)
    }

    /// [`ClipTask::new`] of this architecture, tokenizer and preprocessing, whatever the run calls
    /// it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if architecture or device can't do as the run says.
    pub fn with_description(
        run: &'r Run,
        description: Description,
        device: Device,
    ) -> Result<Self> {
        // Before a step is taken: its checkpoints are written so.
        fits_open_clip(Path::new(&run.architecture), &description)?;
        if run.loss == Loss::Sigmoid && description.config.init_logit_bias.is_none() {
            return Err(Error::Unsupported {
                origin: run.architecture.clone(),
                reason: "`loss = \"sigmoid\"` needs an architecture with `init_logit_bias`".into(),
            });
        }
        // The kernels are the CPU's; elsewhere a format that is not kept would be a promise broken.
        if run.compute == Precision::Bf16 && device != Device::flex() {
            return Err(Error::Unsupported {
                origin: "`compute = \"bf16\"`".into(),
                reason: "only the CPU computes in bf16 so far; wanted `compute = \"f32\"`".into(),
            });
        }
        Ok(Self {
            run,
            description,
            contrastive: Contrastive {
                device: device.autodiff(),
                loss: run.loss,
                freeze: run.freeze,
                chunk_size: run.settings.optimizer.chunk_size,
            },
        })
    }

    /// The objective by which a batch's gradients are taken.
    pub fn contrastive(&self) -> &Contrastive {
        &self.contrastive
    }

    /// The batch, if it is for this architecture.
    fn fitting<'b>(&self, batch: &'b Batch) -> Result<&'b Batch> {
        let config = &self.description.config;
        let got = (batch.pixels.size(), batch.tokens.context_length());
        let want = (config.vision_cfg.size(), config.text_cfg.context_length);
        if got.0 == want.0 && got.1 <= want.1 {
            return Ok(batch);
        }
        let told = |(size, length)| format!("pictures of {size} and texts of {length} tokens");
        Err(Error::Batch {
            got: told(got),
            want: told(want),
        })
    }

    fn options(&self) -> BuildOptions {
        BuildOptions {
            precision: self.run.compute,
            freeze: self.run.freeze,
        }
    }
}

impl Task for ClipTask<'_> {
    type Model = ClipModel;
    type Data = Opened;
    type Batch = Batch;
    type Numbers = Numbers;
    type Measured = Measured;

    const UNIT: &'static str = "pairs";
    const MARK: &'static str = CONFIG_FILE;
    const IDENTIFIED_BY: &'static str =
        "seed, batch, compute, data, augmentation, loss, negatives, algorithm or frozen part";
    const CHARTS: &'static [Chart] = &[
        Chart {
            title: "Share of the batch's pictures whose nearest text is true",
            curves: &[Curve::At {
                name: "accuracy",
                number: "/accuracy",
            }],
        },
        Chart {
            title: "Scale of the logits, exp(t)",
            curves: &[Curve::At {
                name: "logit_scale",
                number: "/logit_scale",
            }],
        },
    ];
    const MEASURED_CHARTS: &'static [Chart] = &[
        Chart {
            title: "Retrieval on held-out captions",
            curves: &[
                Curve::At {
                    name: "image recall@10",
                    number: "/measured/image/2",
                },
                Curve::At {
                    name: "text recall@10",
                    number: "/measured/text/2",
                },
            ],
        },
        Chart {
            title: "Zero-shot top-1 on held-out samples",
            curves: &[Curve::Each {
                list: "/measured/zero_shot",
                name: "/data",
                number: "/top_1",
            }],
        },
    ];

    fn echo(&self) -> Result<String> {
        self.run.to_toml()
    }

    fn identity(&self) -> String {
        self.run.identity()
    }

    fn measured_identity(&self) -> String {
        self.run.measured_identity()
    }

    fn precision(&self) -> Precision {
        self.run.compute
    }

    fn matrices(name: &str, shape: &[usize]) -> Option<Matrices> {
        hidden(name, shape)
    }

    fn open(
        &self,
        on_notice: &mut dyn FnMut(Notice) -> ControlFlow<()>,
    ) -> Result<ControlFlow<(), Opened>> {
        let mut tell = |passed_over: &Tally| {
            let mut reasons = passed_over.reasons().iter().cloned();
            reasons.try_for_each(|reason| on_notice(Notice::PassedOver(reason)))
        };
        let (passed_over, found) = Batches::read(self.run);
        // Before what may fail for it: too few samples are left, say.
        if tell(&passed_over).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let batches = Batches::new(self.run, &self.description, found?, passed_over)?;
        let validator = Validator::open(self.run, &batches)?;
        if tell(validator.passed_over()).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        for warning in batches.warnings().iter().chain(validator.warnings()) {
            let _ = on_notice(Notice::Warning(warning.clone()));
        }
        Ok(ControlFlow::Continue(Opened { batches, validator }))
    }

    fn samples(&self, data: &Opened) -> usize {
        data.batches.len()
    }

    fn pass(&self, data: &Opened) -> usize {
        data.batches.pass_len()
    }

    fn batch(&self, data: &Opened, step: usize) -> Result<Batch> {
        data.batches.get(step)
    }

    fn skipped<'b>(&self, batch: &'b Batch) -> &'b [PassedOver] {
        &batch.skipped
    }

    fn sources<'b>(&self, batch: &'b Batch) -> &'b [String] {
        &batch.sources
    }

    fn start(&self) -> Result<ClipModel> {
        let device = &self.contrastive.device;
        start(self.run, &self.description, self.options(), device)
    }

    fn gradients(
        &self,
        model: &ClipModel,
        batch: &Batch,
        _step: usize,
    ) -> Result<Gradients<Numbers>> {
        let BatchGradients {
            named,
            logits_per_image,
            loss,
        } = self.contrastive.gradients(model, self.fitting(batch)?)?;
        let numbers = Numbers {
            logit_scale: model.logit_scale().into_scalar(),
            accuracy: accuracy(logits_per_image, batch),
        };
        Ok(Gradients {
            named,
            loss: loss.into_scalar(),
            numbers,
            watched: vec![("the logit scale", numbers.logit_scale)],
        })
    }

    fn settle(&self, model: ClipModel) -> ClipModel {
        model.clamp_logit_scale()
    }

    fn measure(&self, data: &Opened, model: ClipModel) -> Result<Measurement<Measured>> {
        data.validator.measure(&self.description, model)
    }

    fn write(&self, dir: &Path, model: &ClipModel, purpose: Purpose) -> Result<()> {
        let dtype = match purpose {
            Purpose::Checkpoint => Dtype::F32,
            Purpose::Use => self.run.dtype,
        };
        let tensors = named_tensors(model);
        Ok(fill_checkpoint(dir, &self.description, &tensors, dtype)?)
    }

    fn read(&self, dir: &Path) -> Result<ClipModel> {
        let mut checkpoint = Checkpoint::open(dir)?;
        if !is_same_model(checkpoint.description(), &self.description) {
            return Err(Error::OtherRun {
                checkpoint: dir.to_owned(),
                reason: "the checkpoint has another architecture than the run file".into(),
            });
        }
        let config = checkpoint.description().config.clone();
        let device = &self.contrastive.device;
        Ok(ClipModel::build_with(
            &config,
            &mut checkpoint,
            device,
            self.options(),
        )?)
    }
}
