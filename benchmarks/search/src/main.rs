//! Builds an index of vectors from a NumPy file, or times queries in one; a line of JSON on stdout.
//!
//! `search-bench build BASE.npy N INDEX`, in cells however few they are, and
//! `search-bench query INDEX QUERIES.npy TRUTH.npy METHOD PERCENT`, where `TRUTH` has the ten
//! nearest rows of each query among the first `PERCENT` of a hundred folders; row `i` lies in
//! folder `i mod 100`. Callers at a time are in `callers`.

mod callers;

use std::io::Read;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use diptych_index::{
    Cells, Change, File, Filter, Id, Item, Local, Method, Model, Moment, Part, Payload, Query,
    Store, Taken, TakenFrom,
};
use serde_json::json;

const FOLDERS: u64 = 100;
const K: usize = 10;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let line = match args[..] {
        ["build", base, n, index] => build(base, n.parse()?, index)?,
        ["query", index, queries, truth, method, percent] => {
            query(index, queries, truth, method, percent.parse()?)?
        }
        [
            "callers",
            index,
            queries,
            n,
            seconds,
            method,
            rounds,
            writer,
        ] => callers::time(&callers::Args {
            index,
            queries,
            callers: n.parse()?,
            seconds: seconds.parse()?,
            method: method_named(method)?,
            rounds: rounds.parse()?,
            writer: writer.parse()?,
        })?,
        ["write", index, seconds] => callers::write_to(index, seconds.parse()?)?,
        _ => bail!("see the head of main.rs"),
    };
    println!("{line}");
    Ok(())
}

/// The bytes of a two-dimensional array in C order, its shape, and a reader behind its header.
fn open(path: &str) -> Result<(std::io::BufReader<std::fs::File>, usize, usize)> {
    let mut file = std::io::BufReader::new(std::fs::File::open(path).context(path.to_owned())?);
    let mut head = [0; 10];
    file.read_exact(&mut head)?;
    let mut header = vec![0; usize::from(u16::from_le_bytes([head[8], head[9]]))];
    file.read_exact(&mut header)?;
    let header = String::from_utf8(header)?;
    let shape = header.split(['(', ')']).nth(1).context("no shape")?;
    let mut sides = shape.split(',').map(|side| side.trim().parse::<usize>());
    let (rows, columns) = (
        sides.next().context("rows")??,
        sides.next().context("columns")??,
    );
    Ok((file, rows, columns))
}

fn floats(file: &mut impl Read, n: usize) -> Result<Vec<f32>> {
    let mut bytes = vec![0; 4 * n];
    file.read_exact(&mut bytes)?;
    Ok(bytes
        .as_chunks()
        .0
        .iter()
        .map(|&b| f32::from_le_bytes(b))
        .collect())
}

fn build(base: &str, n: usize, path: &str) -> Result<serde_json::Value> {
    let (mut file, rows, dim) = open(base)?;
    let n = n.min(rows);
    let model = Model {
        name: "random".into(),
        fingerprint: "random".into(),
        dim,
    };
    let store = Local::create(path, &model)?;
    let start = Instant::now();
    for first in (0..n).step_by(2000) {
        let mut changes = Vec::new();
        for i in first..n.min(first + 2000) {
            changes.extend(picture(i, floats(&mut file, dim)?));
        }
        store.apply(&changes)?;
    }
    let stored = start.elapsed().as_secs_f64();
    store.set_cells(Cells::Always)?;
    store.settle()?;
    let settled = start.elapsed().as_secs_f64() - stored;
    let size =
        |extension: &str| std::fs::metadata(format!("{path}{extension}")).map_or(0, |m| m.len());
    Ok(json!({
        "n": n, "stored_s": stored, "settled_s": settled, "rate": n as f64 / (stored + settled),
        "database_mb": size("") as f64 / 1e6, "scan_mb": size(".scan") as f64 / 1e6, "peak_mb": peak(),
    }))
}

/// Row `i` and its file.
fn picture(i: usize, vector: Vec<f32>) -> [Change; 2] {
    let id = id(i);
    let mut payload = Payload::new();
    payload.insert("camera".into(), json!(format!("camera {}", i % 7)));
    let item = Item {
        id,
        taken: Some(Taken {
            at: 1_600_000_000 + i as i64,
            from: TakenFrom::Exif,
        }),
        phash: None,
        payload,
        moments: vec![Moment {
            part: Part::default(),
            vector,
        }],
    };
    let at = File {
        path: path(i),
        size: 1_000_000,
        modified: i as i64,
    };
    [Change::Put(item), Change::Link(at, id)]
}

fn id(i: usize) -> Id {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(i as u64).to_be_bytes());
    Id(id)
}

fn path(i: usize) -> String {
    format!("/photos/{:02}/{i:07}.jpg", i as u64 % FOLDERS)
}

fn method_named(name: &str) -> Result<Method> {
    Ok(match name {
        "auto" => Method::Auto,
        "scan" => Method::Scan,
        "cells" => Method::Cells,
        _ => bail!("no such method"),
    })
}

fn query(
    index: &str,
    queries: &str,
    truth: &str,
    method: &str,
    percent: u64,
) -> Result<serde_json::Value> {
    let (mut file, n, dim) = open(queries)?;
    let queries = floats(&mut file, n * dim)?;
    let (mut file, _, k) = open(truth)?;
    let mut bytes = vec![0; 8 * n * k];
    file.read_exact(&mut bytes)?;
    let truth: Vec<i64> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|&b| i64::from_le_bytes(b))
        .collect();
    let filter = Filter {
        within: match percent {
            100 => Vec::new(),
            _ => (0..percent).map(|i| format!("/photos/{i:02}")).collect(),
        },
        ..Filter::default()
    };
    let asked = method;
    let method = method_named(asked)?;
    let opening = Instant::now();
    let store = Local::open(index)?;
    let mut times = Vec::new();
    let mut right = 0;
    let mut first = 0.0;
    for (i, (vector, truth)) in queries
        .chunks_exact(dim)
        .zip(truth.chunks_exact(k))
        .enumerate()
    {
        let start = Instant::now();
        let hits = store.search(&Query {
            vector,
            k: K,
            filter: &filter,
            method,
        })?;
        let took = start.elapsed().as_secs_f64() * 1e3;
        if i == 0 {
            first = opening.elapsed().as_secs_f64() * 1e3;
        } else {
            times.push(took);
        }
        let row = |hit: &diptych_index::Hit| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&hit.id.0[..8]);
            i64::from_be_bytes(bytes)
        };
        right += hits
            .iter()
            .filter(|hit| truth[..K].contains(&row(hit)))
            .count();
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(json!({
        "asked": asked, "percent": percent, "recall": right as f64 / (n * K) as f64,
        "p50_ms": at(0.5), "p99_ms": at(0.99), "open_and_first_ms": first, "peak_mb": peak(),
        "threads": rayon::current_num_threads(),
    }))
}

/// Memory that was resident at most, MB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kb.unwrap_or(0.0) / 1e3
}
