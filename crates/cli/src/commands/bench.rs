//! `diptych bench`: random pictures and texts → how many a second, beside what the machine could
//! do.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use diptych::image::{Decode, DecodeOptions, Encoding, Picture, Pixels};
use diptych::model::Profile;
use diptych::text::Tokens;
use diptych::{Clip, DeviceKind, Embeddings};
use rayon::prelude::*;
use serde::Serialize;

use super::open;
use crate::args::{BenchArgs, Measure};
use crate::output::{Data, quoted};
use crate::outputs::{self, Kind};
use crate::{Status, interrupt};
use diptych_files::npy::{self, NpyWriter};

/// Inputs that are encoded together.
const BATCHES: [usize; 2] = [1, 32];

/// A picture of twelve megapixels, a phone's.
const PHOTO: (usize, usize) = (4000, 3000);

/// Results of a benchmark; the keys of its maps are batch sizes.
#[derive(Debug, Default, Serialize)]
struct Report {
    model: String,
    /// Number format that the towers compute in.
    precision: &'static str,
    threads: usize,
    /// Billions of operations a second that the processor reaches in that precision; none for
    /// another device.
    limit_gops: Option<f64>,
    images_per_s: BTreeMap<usize, f64>,
    texts_per_s: BTreeMap<usize, f64>,
    /// JPEGs of twelve megapixels, decoded fast and prepared.
    decodes_per_s: Option<f64>,
    /// Share of `limit_gops` that is reached: the model's operations a second over the limit.
    /// Operations that are skipped, since nothing reads their result, count too.
    share_of_limit: Shares,
    peak_memory_mb: Option<f64>,
}

#[derive(Debug, Default, Serialize)]
struct Shares {
    images: BTreeMap<usize, f64>,
    texts: BTreeMap<usize, f64>,
}

/// Times calls for as long as is asked.
struct Timer(Duration);

impl Timer {
    /// The median seconds of a call, after a first that is not counted; none if a person wants to
    /// stop.
    fn median(&self, mut call: impl FnMut() -> Result<()>) -> Result<Option<f64>> {
        /// Calls at least, however long they take.
        const FEWEST: usize = 3;
        call()?;
        let started = Instant::now();
        let mut seconds = Vec::new();
        while seconds.len() < FEWEST || started.elapsed() < self.0 {
            if interrupt::asked() {
                return Ok(None);
            }
            let start = Instant::now();
            call()?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        Ok(Some(seconds[seconds.len() / 2]))
    }
}

pub(crate) fn run(args: &BenchArgs) -> Result<Status> {
    if let Some(out) = &args.out {
        outputs::check(out, Kind::Array, args.input.as_deref())?;
    }
    interrupt::watch("stopping, nothing is printed")?;
    let clip = open(&args.model)?;
    let threads = rayon::current_num_threads();
    let mut report = Report {
        model: args.model.model.clone(),
        threads,
        precision: clip.precision().name(),
        limit_gops: (args.model.device == DeviceKind::Cpu)
            .then(|| clip.precision().limit_gops(threads)),
        ..Report::default()
    };
    let timer = Timer(Duration::from_secs(args.seconds as u64));
    let done = match &args.input {
        Some(input) => given(&clip, &timer, &mut report, (input, args.out.as_deref()))?,
        None => random(&clip, &timer, &mut report, args.only)?,
    };
    if !done {
        return Ok(Status::Interrupted);
    }
    let profile = Profile::new(clip.config());
    let share = |rates: &BTreeMap<usize, f64>, gflops: f64| {
        let share = |(&n, &rate): (&usize, &f64)| Some((n, rate * gflops / report.limit_gops?));
        rates.iter().filter_map(share).collect()
    };
    report.share_of_limit = Shares {
        images: share(&report.images_per_s, profile.image.gflops),
        texts: share(&report.texts_per_s, profile.text.gflops),
    };
    report.peak_memory_mb = peak_memory_mb();
    let mut data = Data::new();
    if args.json {
        data.json(&report)?
    } else {
        print(&mut data, &report)?
    }
    data.flush()?;
    Ok(Status::Done)
}

/// Measures a batch of given pixels and writes its embeddings; whether it was not interrupted.
fn given(
    clip: &Clip,
    timer: &Timer,
    report: &mut Report,
    (input, out): (&Path, Option<&Path>),
) -> Result<bool> {
    let (shape, values) = npy::read(input)?;
    let side = clip.config().vision_cfg.image_size;
    let n = match shape[..] {
        [n, 3, height, width] if [height, width] == [side; 2] && n > 0 => n,
        _ => bail!(
            "{}: its shape is {shape:?}, wanted [N, 3, {side}, {side}]",
            quoted(input)
        ),
    };
    let pixels = Pixels::from_vec(side, values)?;
    let dim = clip.config().embed_dim;
    // A place that can't be written is told before the time is spent.
    let file = out
        .map(|out| NpyWriter::create(out, &[n, dim]))
        .transpose()?;
    let mut features = Vec::new();
    let seconds = timer.median(|| {
        features = clip.image_features(&pixels)?;
        Ok(())
    })?;
    let Some(seconds) = seconds else {
        return Ok(false);
    };
    report.images_per_s.insert(n, n as f64 / seconds);
    if let Some(mut file) = file {
        file.write(Embeddings::from_features(dim, features)?.as_slice())?;
        file.finish()?;
    }
    Ok(true)
}

/// Measures random inputs; whether it was not interrupted.
fn random(clip: &Clip, timer: &Timer, report: &mut Report, only: Option<Measure>) -> Result<bool> {
    let mut noise = Noise(1);
    for what in [Measure::Images, Measure::Texts, Measure::Decode] {
        if only.is_some_and(|only| only != what) {
            continue;
        }
        let done = match what {
            Measure::Images => images(clip, timer, report, &mut noise)?,
            Measure::Texts => texts(clip, timer, report, &mut noise)?,
            Measure::Decode => {
                report.decodes_per_s = decodes_per_s(clip, timer, &mut noise)?;
                report.decodes_per_s.is_some()
            }
        };
        if !done {
            return Ok(false);
        }
    }
    Ok(true)
}

fn images(clip: &Clip, timer: &Timer, report: &mut Report, noise: &mut Noise) -> Result<bool> {
    let side = clip.config().vision_cfg.image_size;
    for n in BATCHES {
        let values = (0..n * 3 * side * side).map(|_| noise.next(4096) as f32 / 1024.0 - 2.0);
        let pixels = Pixels::from_vec(side, values.collect())?;
        let Some(seconds) = timer.median(|| Ok(clip.image_features(&pixels).map(drop)?))? else {
            return Ok(false);
        };
        report.images_per_s.insert(n, n as f64 / seconds);
    }
    Ok(true)
}

fn texts(clip: &Clip, timer: &Timer, report: &mut Report, noise: &mut Noise) -> Result<bool> {
    let text = &clip.config().text_cfg;
    // The highest id is where CLIP reads: it ends each text, and is nowhere else.
    let (length, end) = (text.context_length, text.vocab_size as u32 - 1);
    for n in BATCHES {
        let mut row = || -> Vec<u32> {
            let words = (1..length).map(|_| noise.next(end.max(1)));
            words.chain([end]).collect()
        };
        let rows: Vec<Vec<u32>> = (0..n).map(|_| row()).collect();
        let tokens = Tokens::from_rows(&rows, length)?;
        let Some(seconds) = timer.median(|| Ok(clip.text_features(&tokens).map(drop)?))? else {
            return Ok(false);
        };
        report.texts_per_s.insert(n, n as f64 / seconds);
    }
    Ok(true)
}

/// Measures how many large JPEGs all threads together decode and prepare in a second.
fn decodes_per_s(clip: &Clip, timer: &Timer, noise: &mut Noise) -> Result<Option<f64>> {
    let jpeg = Encoding::Jpeg.encode(&photo(noise)?)?;
    let options = DecodeOptions {
        decode: Decode::Fast,
        ..DecodeOptions::default()
    };
    let copies = vec![&jpeg[..]; rayon::current_num_threads()];
    let seconds = timer.median(|| {
        let decode = |jpeg: &&[u8]| Ok(clip.preprocess().load_bytes(jpeg, &options).map(drop)?);
        copies.par_iter().try_for_each(decode)
    })?;
    Ok(seconds.map(|seconds| copies.len() as f64 / seconds))
}

/// A picture with about as much detail as a photograph: waves of several lengths, and a sensor's
/// noise.
fn photo(noise: &mut Noise) -> Result<Picture> {
    let (width, height) = PHOTO;
    let wave = |at: usize, length: f32, phase: f32| (at as f32 / length + phase).sin();
    let mut columns = Vec::new();
    for x in 0..width {
        columns.push([400.0, 90.0, 23.0, 7.0].map(|length| wave(x, length, 0.3)));
    }
    let mut rgb = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        let row = [310.0, 70.0, 19.0, 5.0].map(|length| wave(y, length, 1.1));
        for column in &columns {
            let waves = column.iter().zip(&row).zip([40.0, 25.0, 15.0, 9.0]);
            let light = 128.0 + waves.map(|((x, y), size)| size * x * y).sum::<f32>();
            for tint in [1.0, 0.9, 0.75] {
                let grain = noise.next(25) as f32 - 12.0;
                rgb.push((light * tint + grain).clamp(0.0, 255.0) as u8);
            }
        }
    }
    Ok(Picture::from_rgb(width, height, rgb)?)
}

/// Numbers that look random and are the same each time.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: u32) -> u32 {
        // Knuth's multiplier (TAOCP 3.3.4), of which the high bits are good.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 33) % u64::from(below)) as u32
    }
}

/// The most memory that the process had, in units of 1,000,000 bytes, where the system tells.
fn peak_memory_mb() -> Option<f64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

/// For people: a table.
fn print(data: &mut Data, report: &Report) -> Result<()> {
    let limit = report
        .limit_gops
        .map(|limit| format!(", whose limit is {limit:.0} GOP/s"));
    data.line(format_args!(
        "{} in {} on {} threads{}",
        report.model,
        report.precision,
        report.threads,
        limit.unwrap_or_default()
    ))?;
    let shares = &report.share_of_limit;
    for (what, rates, shares) in [
        ("images", &report.images_per_s, &shares.images),
        ("texts", &report.texts_per_s, &shares.texts),
    ] {
        for (n, rate) in rates {
            let share = shares
                .get(n)
                .map(|share| format!("  {:>4.0} % of the limit", 100.0 * share));
            let share = share.unwrap_or_default();
            data.line(format_args!(
                "{what:>7} a second, {n:>3} at a time {rate:>9.1}{share}"
            ))?;
        }
    }
    if let Some(rate) = report.decodes_per_s {
        data.line(format_args!(
            "  JPEGs of 12 megapixels decoded a second {rate:>7.1}"
        ))?;
    }
    if let Some(megabytes) = report.peak_memory_mb {
        data.line(format_args!("peak memory {megabytes:.0} MB"))?;
    }
    Ok(())
}
