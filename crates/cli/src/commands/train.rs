//! `diptych train`: a run file → a model, with progress on the way.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use diptych::weights::Parts;
use diptych_files::replace;
use diptych_train::Error;
use diptych_train::clip::{Event, Measured, Progress, Recall, Run, learn_tokenizer, train};
use diptych_train::run::Outcome;
use diptych_train::samples::{PassedOver, Tally};
use indicatif::{FormattedDuration, ProgressBar};

use super::local;
use crate::args::TrainArgs;
use crate::output::{Data, error, message, quoted};
use crate::progress::{self, BETWEEN_LINES};
use crate::{Status, interrupt};

pub(crate) fn run(args: &TrainArgs) -> Result<Status> {
    let run = Run::open(&args.run)?;
    // Published models come with progress; a run that goes on has all it needs.
    if !args.resume {
        let init = run.init.as_ref().filter(|_| !args.learn_tokenizer);
        let names = [
            (Some(&run.architecture), "architecture", Parts::Description),
            (init, "init", Parts::All),
        ];
        for (name, key, parts) in names {
            let Some(name) = name else { continue };
            local(name, parts).with_context(|| format!("{}: `{key}`", quoted(&args.run)))?;
        }
    }
    if args.learn_tokenizer {
        return learn(&run, &args.run);
    }
    interrupt::watch("stopping after this step")?;
    let mut reporter = Reporter::new(run.settings.optimizer.steps, args.strict);
    let outcome = train(&run, args.device.open()?, args.resume, &mut |event| {
        reporter.tell(event);
        if interrupt::asked() || (args.strict && reporter.passed_over.count() > 0) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    reporter.clear();
    if args.strict {
        reporter.passed_over.refuse_any()?;
    }
    for passed_over in reporter.since_ready.reasons() {
        error(&anyhow!("{passed_over}"));
    }
    match named(outcome, &args.run)? {
        Outcome::Finished(model) => finished(&model, &reporter.passed_over),
        Outcome::Interrupted(step) => {
            message(format_args!(
                "stopped after {step} of {} steps; `diptych train {} --resume` continues",
                run.settings.optimizer.steps,
                quoted(&args.run)
            ));
            Ok(Status::Interrupted)
        }
    }
}

/// Writes the run's tokenizer, learned from its texts.
fn learn(run: &Run, place: &Path) -> Result<Status> {
    let shown = quoted(place);
    let Some(path) = &run.tokenizer else {
        bail!(
            "{shown}: `--learn-tokenizer` writes the file that `tokenizer` names, and there is none"
        );
    };
    if path.exists() {
        bail!("{} is there; remove it to learn another", quoted(path));
    }
    let warn = |warning: &str| message(format_args!("warning: {warning}"));
    let (tokenizer, passed_over) = named(learn_tokenizer(run, warn), place)?;
    for passed_over in passed_over.reasons() {
        error(&anyhow!("{passed_over}"));
    }
    let mut text = serde_json::to_vec(&tokenizer.to_json())?;
    text.push(b'\n');
    replace(path, &text)?;
    finished(path, &passed_over)
}

/// The error of what a run file names, with the run file.
fn named<T>(result: Result<T, Error>, run: &Path) -> Result<T> {
    match result {
        Err(error @ Error::Named { .. }) => Err(error).context(quoted(run).into_owned()),
        result => Ok(result?),
    }
}

/// Prints what was made.
fn finished(made: &Path, passed_over: &Tally) -> Result<Status> {
    let mut data = Data::new();
    data.named("", made, "")?;
    data.flush()?;
    Ok(match passed_over.count() {
        0 => Status::Done,
        _ => Status::SomeFailed,
    })
}

/// Tells a run's progress: a bar on a terminal, else a line now and then.
struct Reporter {
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
    /// Whether nothing may be passed over: the first is an error then, and told as one.
    strict: bool,
    is_ready: bool,
    passed_over: Tally,
    /// The part of it that was not told when the data was opened.
    since_ready: Tally,
}

impl Reporter {
    fn new(steps: usize, strict: bool) -> Self {
        let bar = std::io::stderr()
            .is_terminal()
            .then(|| progress::steps(steps));
        Self {
            bar,
            last_line: None,
            strict,
            is_ready: false,
            passed_over: Tally::default(),
            since_ready: Tally::default(),
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Ready {
                samples,
                pass,
                step,
            } => {
                self.is_ready = true;
                self.line(&format!(
                    "{samples} samples, {pass} in a pass; {step} steps done before"
                ));
            }
            Event::Step(progress) => self.step(&progress),
            Event::PassedOver(passed_over) => self.pass_over(passed_over),
            Event::Warning(warning) => self.line(&format!("warning: {warning}")),
            Event::Checkpoint(step) => self.line(&format!("step {step}: checkpoint written")),
            Event::Validation(step, measured) => {
                for line in lines(&measured) {
                    self.line(&format!("step {step}: {line}"));
                }
            }
            _ => {} // events of a later library
        }
    }

    /// Tells what was found at opening by reason, and single pictures as they are met.
    fn pass_over(&mut self, passed_over: PassedOver) {
        if self.is_ready {
            self.since_ready.extend([passed_over.clone()]);
        }
        if !self.strict && self.is_ready {
            self.line(&format!("skipped: {}", passed_over.example));
        } else if !self.strict {
            self.suspend(|| error(&anyhow!("{passed_over}")));
        }
        self.passed_over.extend([passed_over]);
    }

    fn step(&mut self, p: &Progress) {
        let numbers = format!(
            "loss {:.3} · right {:.0} % · scale {:.1} · rate {:.2e} · {:.0} pairs/s · {} left",
            p.loss,
            100.0 * p.numbers.accuracy,
            p.numbers.logit_scale,
            p.learning_rate,
            p.samples_per_s,
            FormattedDuration(p.remaining)
        );
        if let Some(bar) = &self.bar {
            bar.set_position(p.step as u64);
            bar.set_message(numbers);
        } else if p.step == p.steps
            || self
                .last_line
                .is_none_or(|at| at.elapsed() >= BETWEEN_LINES)
        {
            self.last_line = Some(Instant::now());
            message(format_args!("step {}/{} · {numbers}", p.step, p.steps));
        }
    }

    /// A line that stays.
    fn line(&self, text: &str) {
        self.suspend(|| message(text));
    }

    /// Says something without the bar in its way.
    fn suspend(&self, say: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A measurement's lines.
fn lines(measured: &Measured) -> Vec<String> {
    let percent = |shares: [f64; 3]| {
        let [at_1, at_5, at_10] = shares.map(|share| 100.0 * share);
        format!("{at_1:.1} / {at_5:.1} / {at_10:.1} %")
    };
    let told = |recall: &Recall, language: &str| {
        format!(
            "recall@1/5/10{language} text→image {}, image→text {}",
            percent(recall.image),
            percent(recall.text)
        )
    };
    let recall = measured.recall.as_ref().map(|recall| told(recall, ""));
    let others = measured.languages.iter();
    let others = others.map(|other| told(&other.recall, &format!(" ({})", other.language)));
    let zero_shot = measured.zero_shot.iter().map(|set| {
        let a = &set.accuracy;
        let top_5 = a
            .top_5
            .map(|share| format!(", top-5 {:.1} %", 100.0 * share));
        format!(
            "{}: zero-shot top-1 {:.1} %{} of {} held-out pictures, {} classes",
            set.data,
            100.0 * a.top_1,
            top_5.unwrap_or_default(),
            a.pictures,
            a.classes
        )
    });
    recall.into_iter().chain(others).chain(zero_shot).collect()
}
