//! The command line of what keeps and searches an index, as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use diptych::image::Decode;
use diptych_index::{Cells, Method};
use diptych_search::index::Shard;
use diptych_search::query::MinScore;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{DECODES, LimitArgs, ModelArgs, count, one_of, template};
use crate::preview::Protocol;

/// Index pictures, so that they can be searched
///
/// Folders are looked through to their ends. What is new, changed, moved or gone since last time is
/// found by size and time, then by content; nothing is encoded twice. Files named in
/// `.diptychignore`, with patterns as in `.gitignore`, and those that begin with a dot are left
/// out. May be stopped at any time, and goes on where it was. The exit code is 2 if any file can't
/// be indexed, be it new or one that could not be before; films are passed over and counted, and so
/// are links that lead nowhere, unless they are called as pictures are: such are failures.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct IndexArgs {
    #[command(subcommand)]
    pub(crate) command: Option<IndexCommand>,

    /// Folders, pictures, or `@FILE` with a path a line (`-` is such a list on stdin) [default:
    /// those that the index knows]
    #[arg(value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Go on and follow changes of the folders, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,

    /// Index what is hidden, too
    #[arg(long)]
    pub(crate) hidden: bool,

    /// Leave out what matches, as a line of a .gitignore
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,

    /// Index only part I of N of the files, from 1/N to N/N; `index import` puts the parts
    /// together. Told by their paths, which every machine has to see alike
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(crate) shard: Option<Shard>,

    /// Forget all files of a folder in which there are no pictures left; else it may be a disc
    /// that is not mounted
    #[arg(long)]
    pub(crate) forget_emptied: bool,

    /// Try files again that could not be indexed, as with a build that reads more formats.
    /// Pictures that were too large are tried again as soon as `--max-megapixels` allows more
    #[arg(long)]
    pub(crate) retry: bool,

    /// Decode large JPEGs at the smallest of 1/2, 1/4 and 1/8 that the model needs, or in full.
    /// Noted with the index, and done so with pictures in queries, too [default: as the index
    /// was begun; a new one fast]
    #[arg(long, value_parser = one_of(DECODES))]
    pub(crate) decode: Option<Decode>,

    #[command(flatten)]
    pub(crate) limit: LimitArgs,

    /// Print the report as one JSON object: unchanged, refused (before, and not tried again),
    /// encoded, linked, removed, refused_gone (refused before, and gone), failed (path,
    /// reason, needs: a feature), emptied, skipped (by kind)
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) address: AddressArgs,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Say what the index holds, which folders it knows, and how it is searched
    Status(StatusArgs),
    /// Read all of the index and look for what is wrong
    Verify(AddressOnly),
    /// Give back the room of what was removed, and make anew what is searched
    Compact(CompactArgs),
    /// Take files and folders out of the index, and from the folders that it knows
    ///
    /// What links below them lead to stays. What lies in a folder that the index still knows comes
    /// back with the next run, unless it is gone or `.diptychignore` leaves it out.
    Forget(ForgetArgs),
    /// Add what other indexes hold, and embeddings that clip-retrieval wrote
    Import(ImportArgs),
    /// Write the embeddings as a NumPy file, and what belongs to each row beside it
    Export(ExportArgs),
}

/// Which index.
#[derive(Clone, Debug, Args)]
pub(crate) struct AddressArgs {
    /// Index [default: photos.diptych in the user's data directory]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) index: Option<PathBuf>,

    /// Index on a server, qdrant://HOST:6334/COLLECTION
    #[arg(long, value_name = "URL", conflicts_with = "index")]
    pub(crate) store: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,

    /// List the files that could not be indexed, and why
    #[arg(long)]
    pub(crate) refused: bool,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AddressOnly {
    #[command(flatten)]
    pub(crate) address: AddressArgs,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,

    /// Whether vectors are grouped, so that a search looks at some of them alone [default: as it
    /// was; at first, if they are many]
    #[arg(long, value_parser = one_of(CELLS))]
    pub(crate) cells: Option<Cells>,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// Files, and folders with all that is below them
    #[arg(required = true, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) address: AddressArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Indexes: files, or qdrant:// URLs; or folders with img_emb/*.npy and metadata/*.parquet,
    /// made with `--model`
    #[arg(required = true, value_name = "INDEX", value_hint = ValueHint::AnyPath)]
    pub(crate) from: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) address: AddressArgs,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Folder for embeddings.npy (f32 `[N, D]`) and metadata.jsonl (a line a row)
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,

    #[command(flatten)]
    pub(crate) address: AddressArgs,
}

/// Search an index by words and pictures
///
/// A query has terms, which `+` and `-` begin, with weights if need be: "beach +0.5:sunset -people
/// +./me.jpg". What names a file is a picture: a term, or the whole query, whatever signs are in
/// its name.
///
/// A sign stands directly before a word, else it is text: "dog - running". A weight is a number of
/// 0 or more with a point, and stands only after a sign: "3:4 portrait" is text. Quotes make a text
/// of anything: '"-people"', '"beach.jpg"', '+"3:4 portrait"'; in them \" and \\ are a quote and a
/// backslash. A backslash before a word takes its sign for a letter: 'beach +./me \-1.png'. A query
/// that begins with `-` comes after all options and `--`.
///
/// The exit code is 1 if nothing was found; stderr says why.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// What is looked for
    #[arg(required = true, value_name = "QUERY")]
    pub(crate) query: Vec<String>,

    /// Sentence for a text, which takes the place of `{}`; several are averaged [default: three]
    #[arg(long = "template", value_name = "TEXT", value_parser = template)]
    pub(crate) templates: Vec<String>,

    /// Least cosine of a hit, or `auto`: none, where what is nearest is no nearer than for any
    /// text
    #[arg(long, value_name = "X", value_parser = min_score, allow_negative_numbers = true)]
    pub(crate) min_score: Option<MinScore>,

    /// Cut texts that are too long for the model, instead of failing
    #[arg(long)]
    pub(crate) truncate: bool,

    #[command(flatten)]
    pub(crate) hits: HitsArgs,
}

/// Find pictures like one
///
/// Of a picture that the index has, and that is as it was, the index's own embedding is taken;
/// another is read and encoded.
#[derive(Debug, Args)]
pub(crate) struct SimilarArgs {
    /// Picture, in the index or not
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) hits: HitsArgs,
}

/// Among which pictures hits are looked for, and how they are told.
#[derive(Debug, Args)]
pub(crate) struct HitsArgs {
    /// Hits at the most; equal files are one
    #[arg(short = 'k', long, value_name = "N", default_value = "10", value_parser = count(1, 1_000_000))]
    pub(crate) top: usize,

    /// Only pictures in this folder or below it
    #[arg(long = "in", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) within: Vec<PathBuf>,

    /// Only pictures taken on this day (YYYY, YYYY-MM or YYYY-MM-DD) or later, by the clock on the
    /// wall where that was; of a picture that does not say, the file's time stands in
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) after: Option<i64>,

    /// Only pictures taken before this day
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) before: Option<i64>,

    /// Only pictures that say themselves when they were taken
    #[arg(long)]
    pub(crate) dated: bool,

    /// How: compare with all, or with those in the nearest cells
    #[arg(long, value_parser = one_of(METHODS), default_value = "auto")]
    pub(crate) method: Method,

    /// Print one JSON object a file: path, score, start, end, region (of a tile), taken,
    /// taken_from (`exif`, `file` for the file's time, or `unknown` in an index that an older
    /// version made), copies (other files that are equal), gone (whether it is no longer
    /// there)
    #[arg(long, conflicts_with_all = ["paths0", "preview"])]
    pub(crate) json: bool,

    /// Print paths alone, a zero byte after each, as for `xargs -0`
    #[arg(long, conflicts_with = "preview")]
    pub(crate) paths0: bool,

    /// List every one of equal files, instead of one and how many copies it has
    #[arg(long)]
    pub(crate) all_paths: bool,

    /// Show the pictures, by the way the terminal knows, or by this one; without a way only where
    /// stdout is a terminal
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true)]
    pub(crate) preview: Option<Option<Protocol>>,

    /// Write a page with small pictures, too
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,

    /// Open the Nth hit, too, with the program that the desktop has for it
    #[arg(long, value_name = "N", value_parser = count(1, 1_000_000))]
    pub(crate) open: Option<usize>,

    #[command(flatten)]
    pub(crate) limit: LimitArgs,

    #[command(flatten)]
    pub(crate) address: AddressArgs,

    /// Model [default: the index's]
    #[arg(long, value_name = "NAME_OR_PATH", value_hint = ValueHint::DirPath)]
    pub(crate) model: Option<String>,
}

/// Find equal pictures and near duplicates in an index
///
/// Near are pictures that the model finds near and that look the same: resized, encoded again,
/// brightened, or cropped by a few percent. Each group has a keeper, to which all others are near:
/// the file with most pixels, of such the largest, of such the oldest. Names of one file are no
/// duplicates, and files that are gone or have changed are left out; where none of the
/// index's files and folders is there, as on another machine, all are told and marked as gone. The
/// exit code is 1 if there is no group.
#[derive(Debug, Args)]
pub(crate) struct DuplicatesArgs {
    /// Least cosine of near duplicates [default: measured for the index's model]
    #[arg(long, value_name = "X", value_parser = finite)]
    pub(crate) threshold: Option<f32>,

    /// Equal files alone
    #[arg(long, conflicts_with = "threshold")]
    pub(crate) exact: bool,

    /// Only pictures in this folder or below it
    #[arg(long = "in", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) within: Vec<PathBuf>,

    /// Print one JSON object a group: kind, cosine (the lowest of any two), same_file, keeper,
    /// paths (the keeper's first), sizes (bytes), pixels ([columns, rows])
    #[arg(long, conflicts_with = "paths0")]
    pub(crate) json: bool,

    /// Print the paths of all but the keepers, a zero byte after each, as for `xargs -0`
    #[arg(long)]
    pub(crate) paths0: bool,

    /// Write a page with small pictures, too
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) limit: LimitArgs,

    #[command(flatten)]
    pub(crate) address: AddressArgs,

    /// Model [default: the index's]
    #[arg(long, value_name = "NAME_OR_PATH", value_hint = ValueHint::DirPath)]
    pub(crate) model: Option<String>,
}

const METHODS: &[(&str, Method)] = &[
    ("auto", Method::Auto),
    ("scan", Method::Scan),
    ("cells", Method::Cells),
];
const CELLS: &[(&str, Cells)] = &[
    ("auto", Cells::Auto),
    ("always", Cells::Always),
    ("never", Cells::Never),
];

fn min_score(text: &str) -> Result<MinScore, &'static str> {
    match (text, text.parse::<f32>()) {
        ("auto", _) => Ok(MinScore::Auto),
        (_, Ok(score)) if score.is_finite() => Ok(MinScore::Cosine(score)),
        _ => Err("wanted a number or `auto`"),
    }
}

fn finite(text: &str) -> Result<f32, &'static str> {
    let number = text.parse::<f32>().ok();
    number.filter(|x| x.is_finite()).ok_or("wanted a number")
}

fn shard(text: &str) -> Result<Shard, &'static str> {
    const WANTED: &str = "wanted I/N, as 2/8";
    let (part, of) = text.split_once('/').ok_or(WANTED)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| WANTED);
    let (part, of) = (number(part)?, number(of)?);
    let shard = part.checked_sub(1).and_then(|part| Shard::new(part, of));
    shard.ok_or("the part is from 1 to N")
}

/// The second a day begins by the clock on the wall, as an index counts them.
fn date(text: &str) -> Result<i64, &'static str> {
    const WANTED: &str = "wanted YYYY, YYYY-MM or YYYY-MM-DD";
    let parts: Vec<&str> = text.split('-').collect();
    // `24-01-01` is no year of the Romans, but a mistake.
    if parts[0].len() != 4 {
        return Err(WANTED);
    }
    let part = |i: usize| parts.get(i).map_or(Ok(1), |part| part.parse::<i16>());
    let all = (part(0), part(1), part(2));
    let (Ok(year), Ok(month), Ok(day), true) = (all.0, all.1, all.2, parts.len() <= 3) else {
        return Err(WANTED);
    };
    let small = |value: i16| i8::try_from(value).map_err(|_| WANTED);
    let date = Date::new(year, small(month)?, small(day)?).map_err(|_| "there is no such day")?;
    let zoned = date
        .to_zoned(TimeZone::UTC)
        .map_err(|_| "there is no such day")?;
    Ok(zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_by_the_clock_on_the_wall() {
        // date -u -d 2024-02-29 +%s
        assert_eq!(date("2024-02-29"), Ok(1_709_164_800));
        assert_eq!(date("2024-02"), date("2024-02-01"));
        assert_eq!(date("1970"), Ok(0));
        for wrong in [
            "2023-02-29",
            "yesterday",
            "2024-1-1-1",
            "",
            "2024-13",
            "2024-300",
            "24-01-01",
        ] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_are_counted_from_one() {
        assert_eq!(shard("1/1"), Ok(Shard::new(0, 1).unwrap()));
        assert_eq!(shard("3/4"), Ok(Shard::new(2, 4).unwrap()));
        for wrong in ["0/4", "5/4", "1", "a/b", "1/0"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }
}
