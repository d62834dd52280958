//! What ffmpeg does with a frame before it is ours: chosen, made upright, small, and red, green and
//! blue.

use std::process::Stdio;
use std::sync::OnceLock;

use super::probe::Facts;
use super::program::{FFMPEG, Running, command};
use super::sampling::Sampling;

/// Filters that bring the brightness of PQ and HLG to that of a common screen. Source: ffmpeg's
/// documentation of `tonemap`.
const TONES: &str = "format=yuv444p10le,zscale=min=bt2020nc:pin=bt2020:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv444p";

/// Most columns and rows: pixels may be said to be of any shape.
const MOST: usize = 16_384;

/// Rows from which a film that does not say how its colours are made is of the time of BT.709.
const HIGH_DEFINITION: u64 = 720;

/// The chain of filters. The shorter side of what is shown becomes `side`, if it is longer.
///
/// Frames are chosen first, and all else is done with those alone. Of two fields, which were taken
/// one after the other, the first is used.
pub(super) fn graph(facts: &Facts, sampling: Sampling, begin: f64, side: usize) -> String {
    let mut filters: Vec<String> = Vec::new();
    if let Some(expression) = sampling.expression(begin) {
        filters.push(format!("select='{expression}'"));
    }
    let rows = if facts.is_interlaced {
        filters.push(format!(
            "field={}",
            if facts.is_bottom_first {
                "bottom"
            } else {
                "top"
            }
        ));
        "2*ih"
    } else {
        "ih"
    };
    let matrix = if !facts.has_matrix && facts.height >= HIGH_DEFINITION {
        ":in_color_matrix=bt709"
    } else {
        ""
    };
    let factor = format!("min(1,{side}/min(iw*sar,{rows}))");
    filters.push(format!(
        "scale=w='min({MOST},max(1,round(iw*sar*{factor})))':h='min({MOST},max(1,round({rows}*{factor})))':flags=bicubic+accurate_rnd+full_chroma_int{matrix}"
    ));
    if facts.is_hdr && has_tones() {
        filters.push(TONES.into());
    }
    filters.push("setsar=1,format=rgb24,showinfo=checksum=0".into());
    filters.join(",")
}

/// Whether this ffmpeg was built with what [`TONES`] needs. Without it, such films look pale.
fn has_tones() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let mut asked = command(FFMPEG);
        asked.args(["-hide_banner", "-filters"]);
        asked.stdout(Stdio::piped()).stderr(Stdio::null());
        let listed = Running::start(FFMPEG, &mut asked).and_then(Running::output);
        listed.is_ok_and(|listed| {
            [" zscale ", " tonemap "]
                .iter()
                .all(|name| listed.contains(name))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_chosen_before_anything_is_done_with_them() {
        let facts = Facts {
            stream: 0,
            codec: "h264".into(),
            width: 1920,
            height: 1080,
            duration: None,
            is_interlaced: true,
            is_bottom_first: false,
            is_hdr: false,
            has_matrix: false,
        };
        let all = graph(&facts, Sampling::Rate(1.0), 0.0, 192);
        let place = |what| all.find(what).unwrap_or_else(|| panic!("{what} in {all}"));
        assert!(place("select=") < place("field=top"));
        assert!(place("field=top") < place("scale="));
        assert!(place("2*ih") > place("scale="));
        assert!(place("in_color_matrix=bt709") < place("showinfo"));
        assert!(!graph(&facts, Sampling::Key, 0.0, 192).contains("select"));
    }
}
