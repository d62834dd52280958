//! Callers that search at a time, beside nothing, beside a writer in this process, or beside one in
//! another.
//!
//! Rounds without and with the writer alternate, so that what else a machine does touches both
//! alike. Each caller asks again as soon as it is answered.

use std::process::Command;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use diptych_index::{Change, Filter, Local, Method, Query, Store};
use serde_json::{Value, json};

use crate::{K, floats, id, open, path, picture};

/// From one commit to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// Pictures that come with a commit; as many go, and one of those that were there before is
/// replaced.
const COMMIT: usize = 100;

/// Numbers of pictures that the writer adds begin here.
const NEW: usize = 10_000_000;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Writer {
    None,
    /// The same store, on a thread of its own.
    Here,
    /// A process of its own.
    Beside,
}

impl FromStr for Writer {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "none" => Self::None,
            "here" => Self::Here,
            "beside" => Self::Beside,
            _ => bail!("no such writer"),
        })
    }
}

pub(crate) struct Args<'a> {
    pub(crate) index: &'a str,
    pub(crate) queries: &'a str,
    pub(crate) callers: usize,
    /// Of a round.
    pub(crate) seconds: f64,
    pub(crate) method: Method,
    pub(crate) rounds: usize,
    pub(crate) writer: Writer,
}

/// Times rounds; where there is a writer, as many with it between them.
pub(crate) fn time(args: &Args) -> Result<Value> {
    let (mut file, n, dim) = open(args.queries)?;
    let queries = floats(&mut file, n * dim)?;
    let store = if args.writer == Writer::Here {
        Local::change(args.index)?
    } else {
        Local::open(args.index)?
    };
    let round = Round {
        args,
        store: &store,
        queries: &queries,
        dim,
    };
    // What is read once, and the threads.
    round.run(0.2)?;
    let (mut alone, mut beside, mut commits) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        alone.push(round.run(args.seconds)?);
        if args.writer != Writer::None {
            let (times, took) = round.run_beside_writer()?;
            beside.push(times);
            commits.extend(took);
        }
    }
    let told = |rounds: &[Vec<f64>]| (!rounds.is_empty()).then(|| tell(rounds, args.seconds));
    Ok(json!({
        "callers": args.callers, "alone": told(&alone), "beside_writer": told(&beside),
        "commits": commits.len(), "commit_p50_ms": quantile(&mut commits, 0.5),
        "log_mb": std::fs::metadata(format!("{}-wal", args.index)).map_or(0.0, |m| m.len() as f64 / 1e6),
    }))
}

/// Searches a second, the median round's, and milliseconds of all.
fn tell(rounds: &[Vec<f64>], seconds: f64) -> Value {
    let mut rates: Vec<f64> = rounds
        .iter()
        .map(|times| times.len() as f64 / seconds)
        .collect();
    let mut all = rounds.concat();
    json!({
        "rate": quantile(&mut rates, 0.5), "p50_ms": quantile(&mut all, 0.5), "p99_ms": quantile(&mut all, 0.99),
        "p999_ms": quantile(&mut all, 0.999), "max_ms": quantile(&mut all, 1.0), "searches": all.len(),
    })
}

fn quantile(all: &mut [f64], share: f64) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get((all.len().saturating_sub(1) as f64 * share) as usize)
        .copied()
        .unwrap_or(0.0)
}

struct Round<'a> {
    args: &'a Args<'a>,
    store: &'a Local,
    queries: &'a [f32],
    dim: usize,
}

impl Round<'_> {
    /// Milliseconds of every search that was begun within so many seconds.
    fn run(&self, seconds: f64) -> Result<Vec<f64>> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        let filter = Filter::default();
        let call = |caller: usize| -> Result<Vec<f64>> {
            let mut times = Vec::new();
            let queries = self.queries.chunks_exact(self.dim).cycle();
            for vector in queries.skip(caller * 97) {
                let start = Instant::now();
                if start >= end {
                    break;
                }
                let query = Query {
                    vector,
                    k: K,
                    filter: &filter,
                    method: self.args.method,
                };
                if self.store.search(&query)?.len() != K {
                    bail!("hits are missing");
                }
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
            Ok(times)
        };
        let all: Result<Vec<Vec<f64>>> = std::thread::scope(|scope| {
            let call = &call;
            let callers: Vec<_> = (0..self.args.callers)
                .map(|n| scope.spawn(move || call(n)))
                .collect();
            callers
                .into_iter()
                .map(|caller| caller.join().expect("a caller panicked"))
                .collect()
        });
        Ok(all?.concat())
    }

    /// The same beside a writer, and milliseconds of its commits.
    fn run_beside_writer(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let seconds = self.args.seconds;
        if self.args.writer == Writer::Here {
            let done = AtomicBool::new(false);
            return std::thread::scope(|scope| {
                let writer = scope.spawn(|| write(self.store, &|| done.load(Ordering::Relaxed)));
                let times = self.run(seconds);
                done.store(true, Ordering::Relaxed);
                Ok((times?, writer.join().expect("the writer panicked")?))
            });
        }
        let mut writer = Command::new(std::env::current_exe()?);
        let mut writer = writer
            .args(["write", self.args.index])
            .arg((seconds + 1.0).to_string())
            .spawn()?;
        // Until it has opened the index.
        std::thread::sleep(Duration::from_millis(500));
        let times = self.run(seconds)?;
        writer.wait()?;
        Ok((times, Vec::new()))
    }
}

/// Writes to an index for so many seconds.
pub(crate) fn write_to(index: &str, seconds: f64) -> Result<Value> {
    let store = Local::change(index)?;
    let start = Instant::now();
    let mut commits = write(&store, &|| start.elapsed().as_secs_f64() > seconds)?;
    Ok(json!({"commits": commits.len(), "commit_p50_ms": quantile(&mut commits, 0.5)}))
}

/// Commits until it is done, and takes back what it added.
fn write(store: &Local, is_done: &dyn Fn() -> bool) -> Result<Vec<f64>> {
    let dim = store.model().dim;
    let vector = |seed: usize| {
        let mut state = seed as u64 + 1;
        let mut values: Vec<f32> = Vec::with_capacity(dim);
        values.resize_with(dim, || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        });
        let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
        values.iter().map(|v| v / length).collect::<Vec<f32>>()
    };
    let mut times = Vec::new();
    let mut went = Vec::new();
    let mut next = NEW;
    let mut due = Instant::now();
    while !is_done() {
        let came: Vec<usize> = (next..next + COMMIT).collect();
        next += COMMIT;
        let mut changes: Vec<Change> = went.drain(..).collect();
        changes.extend(came.iter().flat_map(|&i| picture(i, vector(i))));
        let row = next / COMMIT % 1000;
        let before = store.item(id(row))?.context("a row")?;
        let moment = before.moments.into_iter().next();
        changes.extend(picture(row, moment.context("a vector")?.vector));
        went.extend(came.iter().map(|&i| Change::Unlink(path(i))));
        let start = Instant::now();
        store.apply(&changes)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        due += PAUSE;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    store.apply(&went)?;
    Ok(times)
}
