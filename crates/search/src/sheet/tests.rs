//! Pages, whatever files are called.

use super::*;

fn tile(path: &str) -> Tile {
    Tile {
        path: path.into(),
        score: 0.25,
        title: None,
        thumbnail: Some(b"foo".to_vec()),
        start: None,
        copies: 0,
        gone: false,
    }
}

/// The page of one tile.
fn one(tile: Tile) -> String {
    page("a cat", &[tile])
}

const HOSTILE: [&str; 7] = [
    "/a/<script>alert(1)</script>.jpg",
    "/a/\" onerror=\"alert(1).jpg",
    "/a/' onclick='x.jpg",
    "/a/line\nbreak.jpg",
    "/a/100%41.jpg",
    "/a/#1?.jpg",
    "/a/猫 & \u{202e}gpj.jpg",
];

/// Each as text.
const ESCAPED: [&str; 7] = [
    "/a/&lt;script&gt;alert(1)&lt;/script&gt;.jpg",
    "/a/&quot; onerror=&quot;alert(1).jpg",
    "/a/&#39; onclick=&#39;x.jpg",
    "&#39;/a/line&#39;$&#39;\\n&#39;&#39;break.jpg&#39;",
    "/a/100%41.jpg",
    "/a/#1?.jpg",
    "/a/猫 &amp; \u{202e}gpj.jpg",
];

/// Each as an address.
#[cfg(unix)]
const ADDRESSES: [&str; 7] = [
    "file:///a/%3Cscript%3Ealert%281%29%3C/script%3E.jpg",
    "file:///a/%22%20onerror%3D%22alert%281%29.jpg",
    "file:///a/%27%20onclick%3D%27x.jpg",
    "file:///a/line%0Abreak.jpg",
    "file:///a/100%2541.jpg",
    "file:///a/%231%3F.jpg",
    "file:///a/%E7%8C%AB%20%26%20%E2%80%AEgpj.jpg",
];

#[test]
fn hostile_names_are_text() {
    for (path, escaped) in HOSTILE.iter().zip(ESCAPED) {
        let html = one(tile(path));
        let breakable = escaped.replace('/', "/<wbr>");
        let text = format!("<bdi class=\"path\">{breakable}</bdi>");
        assert!(html.contains(&text), "{html}");
        let name = Path::new(path).file_name().unwrap();
        let alt = format!("alt=\"{}\"", escape(&quoted(Path::new(name))));
        assert!(html.contains(&alt), "{html}");
    }
}

#[cfg(unix)]
#[test]
fn a_name_that_is_not_utf_8_is_shown_escaped_and_linked_by_its_bytes() {
    let html = one(tile("/a/caf\0e9.jpg"));
    assert!(html.contains("href=\"file:///a/caf%E9.jpg\""), "{html}");
    let shown = "&#39;/<wbr>a/<wbr>caf&#39;$&#39;\\351&#39;&#39;.jpg&#39;";
    assert!(html.contains(shown), "{html}");
}

#[cfg(unix)]
#[test]
fn hostile_names_are_addresses() {
    for (path, address) in HOSTILE.iter().zip(ADDRESSES) {
        let html = one(tile(path));
        assert!(html.contains(&format!("href=\"{address}\"")), "{html}");
    }
}

#[test]
fn nothing_typed_becomes_an_element_or_an_attribute() {
    let mut hostile = tile("/a.jpg");
    hostile.title = Some("</bdi><script>\"'&".into());
    let html = page("</title><script>\"'&", &[hostile]);
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains("<title>&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp; – Diptych</title>"));
    assert!(html.contains("alt=\"&lt;/bdi&gt;&lt;script&gt;&quot;&#39;&amp;\""));
}

#[test]
fn control_characters_are_shown_as_such() {
    assert_eq!(
        escape("a\0b\x1b[1mc\r\n\td"),
        "a\u{fffd}b\u{fffd}[1mc\u{fffd}\n\td"
    );
}

#[test]
fn scores_have_three_decimals() {
    for (score, text) in [(0.312_49, "0.312"), (1.0, "1.000"), (-0.05, "-0.050")] {
        let html = one(Tile {
            score,
            ..tile("/a.jpg")
        });
        assert!(html.contains(&format!("<b>{text}</b>")), "{html}");
    }
}

#[test]
fn a_thumbnail_is_inside_the_page() {
    let html = one(tile("/a.jpg"));
    let image = "<img class=\"picture\" alt=\"a.jpg\" src=\"data:image/jpeg;base64,Zm9v\">";
    assert!(html.contains(image), "{html}");
}

#[test]
fn a_tile_stands_in_for_a_missing_thumbnail() {
    let html = one(Tile {
        thumbnail: None,
        ..tile("/a.jpg")
    });
    assert!(!html.contains("<img"), "{html}");
    assert!(html.contains("<span class=\"picture missing\">no preview</span>"));
}

#[test]
fn copies_are_counted_and_what_is_gone_is_told() {
    let with = |copies| {
        one(Tile {
            copies,
            ..tile("/a.jpg")
        })
    };
    assert!(with(29).contains("<span>+29 copies</span>"));
    assert!(with(1).contains("<span>+1 copy</span>"));
    assert!(!with(0).contains("cop"));
    let gone = one(Tile {
        thumbnail: None,
        gone: true,
        ..tile("/a.jpg")
    });
    assert!(gone.contains("<span class=\"picture missing\">gone</span>"));
}

#[test]
fn a_title_comes_before_the_name_of_the_file() {
    let html = one(Tile {
        title: Some("A cat".into()),
        ..tile("/a.jpg")
    });
    assert!(html.contains("<bdi class=\"name\">A cat</bdi>"), "{html}");
    assert!(one(tile("/b/a.jpg")).contains("<bdi class=\"name\">a.jpg</bdi>"));
}

#[cfg(unix)]
#[test]
fn a_moment_of_a_film_is_told_and_linked() {
    let at = |start| {
        one(Tile {
            start: Some(start),
            ..tile("/a.mp4")
        })
    };
    let html = at(65.5);
    assert!(html.contains("href=\"file:///a.mp4#t=65.5\""), "{html}");
    assert!(html.contains("<span>1:05</span>"), "{html}");
    for nowhere in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(at(nowhere).contains("href=\"file:///a.mp4\""));
    }
}

#[test]
fn moments_are_written_as_on_a_player() {
    let written = [0.0, 9.9, 60.0, 3599.0, 3723.0].map(clock);
    assert_eq!(written, ["0:00", "0:09", "1:00", "59:59", "1:02:03"]);
}

#[test]
fn a_relative_path_is_linked_from_the_working_directory() {
    let here = path::absolute("b c.jpg").unwrap();
    let address = url::file(here.as_os_str().as_encoded_bytes(), cfg!(windows));
    let html = one(tile("b c.jpg"));
    assert!(html.contains(&format!("href=\"{address}\"")), "{html}");
    assert!(html.contains("<bdi class=\"path\">b c.jpg</bdi>"));
}

#[test]
fn what_leads_nowhere_has_no_link() {
    let html = one(tile(""));
    assert!(!html.contains("<a"), "{html}");
    assert!(html.contains("<div class=\"tile\">"), "{html}");
}

#[test]
fn results_are_counted() {
    let counted = |n| page("", &vec![tile("/a.jpg"); n]);
    assert!(counted(0).contains("<p>Nothing found</p>"));
    assert!(counted(1).contains("<p>1 result</p>"));
    assert!(counted(2).contains("<p>2 results</p>"));
}

#[test]
fn a_page_asks_for_nothing_else() {
    let html = one(tile("/a.jpg"));
    for word in ["http:", "https:", "<link", "@import", "url("] {
        assert!(!html.contains(word), "{word}");
    }
}
