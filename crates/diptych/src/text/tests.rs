//! Tests of the whole text stage, first of all against open_clip's ids.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Lines of `[text, ids]`, made by `parity/tokens.py --write-golden`; `versions.json` beside it
/// says with which versions of open_clip, ftfy, regex and Python.
const GOLDEN: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/golden/tokens/tokens.jsonl"
));

fn clip() -> ClipTokenizer {
    ClipTokenizer::new(SpecialTokens::OpenClip)
}

fn ids(text: &str) -> Vec<u32> {
    clip().encode(text, usize::MAX, Overflow::Refuse).unwrap()
}

#[test]
fn ids_are_those_of_open_clip() {
    for line in GOLDEN.lines() {
        let (text, want): (String, Vec<u32>) = serde_json::from_str(line).unwrap();
        assert_eq!(ids(&text), want, "{text:?}");
    }
    assert!(GOLDEN.lines().count() >= 2_000);
}

#[test]
fn a_photo_of_a_cat() {
    assert_eq!(
        ids("a photo of a cat"),
        [49406, 320, 1125, 539, 320, 2368, 49407]
    );
    assert_eq!(ids(""), [49406, 49407]);
    assert_eq!(ids(" \n\u{3000}"), [49406, 49407]);
}

#[test]
fn tokens_longer_than_the_context_are_refused() {
    let error = clip()
        .encode(&"a ".repeat(80), 77, Overflow::Refuse)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "text has 82 tokens, but the context length is 77"
    );
    assert_eq!(
        clip()
            .encode(&"a ".repeat(75), 77, Overflow::Refuse)
            .unwrap()
            .len(),
        77
    );
}

#[test]
fn truncation_keeps_the_end_token() {
    let ids = clip()
        .encode(&"a ".repeat(80), 77, Overflow::Truncate)
        .unwrap();
    assert_eq!(ids.len(), 77);
    assert_eq!((ids[0], ids[75], ids[76]), (49406, 320, 49407));
    assert_eq!(
        clip().encode("a", 2, Overflow::Truncate).unwrap(),
        [49406, 49407]
    );
}

#[test]
fn a_context_without_room_for_start_and_end_is_refused() {
    for overflow in [Overflow::Refuse, Overflow::Truncate] {
        let error = clip().encode("", 1, overflow).unwrap_err();
        assert_eq!(
            error.to_string(),
            "context length is 1, but the start and end tokens alone need 2"
        );
    }
}

#[test]
fn batches_are_padded_with_zeros() {
    let tokens = Tokenizer::from(clip())
        .encode_batch(&["a cat", ""], 5, Overflow::Refuse)
        .unwrap();
    assert_eq!((tokens.len(), tokens.context_length()), (2, 5));
    assert_eq!(tokens.lengths(), [4, 2]);
    let rows: Vec<&[u32]> = tokens.rows().collect();
    assert_eq!(
        rows,
        [[49406, 320, 2368, 49407, 0], [49406, 49407, 0, 0, 0]]
    );
    assert_eq!(tokens.ids().len(), 10);
    assert!(
        Tokenizer::from(clip())
            .encode_batch::<&str>(&[], 77, Overflow::Refuse)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_batch_names_the_text_that_failed() {
    let error = Tokenizer::from(clip())
        .encode_batch(&["a", "b", "a b c d"], 5, Overflow::Refuse)
        .unwrap_err();
    let message = "text 2 of the batch (from 0): text has 6 tokens, but the context length is 5";
    assert_eq!(error.to_string(), message);
}

#[test]
fn special_tokens_are_known_in_the_spelling_of_their_kind() {
    let open_ai = ClipTokenizer::new(SpecialTokens::OpenAi);
    let encode = |text| open_ai.encode(text, 77, Overflow::Refuse).unwrap();
    assert_eq!(ids("a<END_OF_TEXT>a"), [49406, 320, 49407, 320, 49407]);
    assert_eq!(encode("a<|EndOfText|>a"), [49406, 320, 49407, 320, 49407]);
    assert!(!ids("<|endoftext|>")[1..].starts_with(&[49407]));
    assert!(!encode("<end_of_text>")[1..].starts_with(&[49407]));
}

#[test]
fn a_smaller_vocabulary_uses_a_prefix_of_the_merges() {
    let words = "a photograph of seventeen astronauts";
    for size in [514, 1_000, 8_192, 49_407, 49_408] {
        let tokenizer = ClipTokenizer::with_vocab_size(size, SpecialTokens::OpenClip).unwrap();
        let ids = tokenizer.encode(words, 100, Overflow::Refuse).unwrap();
        assert_eq!(tokenizer.vocab_size(), size);
        assert_eq!(tokenizer.end_id() as usize, size - 1);
        assert!(
            ids[1..ids.len() - 1]
                .iter()
                .all(|&id| id < tokenizer.start_id())
        );
        assert_eq!(tokenizer.decode(&ids), words);
    }
    for size in [0, 513, 49_409] {
        let error = ClipTokenizer::with_vocab_size(size, SpecialTokens::OpenClip).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("vocabulary size is {size}"))
        );
    }
}

#[test]
fn a_megabyte_without_a_space_is_no_trap() {
    assert_eq!(ids(&"the".repeat(350_000)).len(), 350_002);
}

/// Each of these is slow, or endless, with a careless search, merge or repair.
#[test]
fn hostile_repetition_is_no_trap() {
    let long = |part: &str| part.repeat((1 << 16) / part.len());
    for part in [
        "a", "!", "&", "&amp;", "amp;", "Ã©", "†â", "\u{1B}[1", "\u{301}", "&#", "<", "Σ",
    ] {
        assert!(ids(&format!("&{}", long(part))).len() >= 2);
    }
    assert_eq!(ids(&format!("&#{};", long("9"))), ids("\u{FFFD}"));
}

#[test]
fn decoding_replaces_bytes_that_truncation_left_behind() {
    let ids = ids("🫠");
    assert_eq!(clip().decode(&ids), "🫠");
    assert_eq!(clip().decode(&ids[..2]), "\u{FFFD}");
    assert_eq!(clip().decode(&[u32::MAX, 49_406, 320]), "a");
}

#[test]
fn tokenizer_json_comes_back_as_it_was() {
    for kind in [SpecialTokens::OpenClip, SpecialTokens::OpenAi] {
        for size in [514, 4_096, 49_408] {
            let tokenizer = ClipTokenizer::with_vocab_size(size, kind).unwrap();
            let read = ClipTokenizer::from_json(&serde_json::to_vec(&tokenizer.to_json()).unwrap())
                .unwrap();
            assert_eq!((read.vocab_size(), read.special_tokens()), (size, kind));
        }
    }
}

#[test]
fn tokenizer_json_may_list_merges_as_lines() {
    let mut file = small_json();
    for merge in file["model"]["merges"].as_array_mut().unwrap() {
        *merge = format!(
            "{} {}",
            merge[0].as_str().unwrap(),
            merge[1].as_str().unwrap()
        )
        .into();
    }
    assert_eq!(read(&file).unwrap().vocab_size(), 600);
}

#[test]
fn another_tokenizer_is_refused_with_what_was_found() {
    let check = |field: &str, value: Value, message: &str| {
        let mut file = small_json();
        *file.pointer_mut(field).unwrap() = value;
        assert_eq!(
            read(&file).unwrap_err().to_string(),
            format!("tokenizer.json: {message}")
        );
    };
    let wanted = "but CLIP's tokenizer has";
    let merges = "new pairs of symbols that earlier merges made";
    check(
        "/model/type",
        json!("WordPiece"),
        &format!(r#"model.type is "WordPiece", {wanted} "BPE""#),
    );
    check(
        "/model/end_of_word_suffix",
        Value::Null,
        &format!(r#"model.end_of_word_suffix is null, {wanted} "</w>""#),
    );
    check(
        "/model/merges/1",
        json!(["x", "yz"]),
        &format!(r#"model.merges.1 is ["x","yz"], {wanted} {merges}"#),
    );
    check(
        "/model/merges/2",
        json!(["i", "n"]),
        &format!(r#"model.merges.2 is ["i","n"], {wanted} {merges}"#),
    );
    check(
        "/model/merges/3",
        json!(7),
        &format!("model.merges.3 is 7, {wanted} two symbols"),
    );
    check(
        "/model/merges",
        json!(3),
        &format!("model.merges is 3, {wanted} a list of merges"),
    );
    check(
        "/model/vocab/th",
        json!(7),
        &format!("model.vocab.`th` is 7, {wanted} 513"),
    );
    check(
        "/normalizer",
        json!({"type": "NFC"}),
        &format!(r#"normalizer is {{"type":"NFC"}}, {wanted} a step `Lowercase`"#),
    );
    for bytes in [
        &b""[..],
        b"{",
        b"[]",
        b"{}",
        b"\xFF",
        b"{\"model\": 1}",
        b"null",
    ] {
        assert!(ClipTokenizer::from_json(bytes).is_err());
    }
}

fn small_json() -> Value {
    ClipTokenizer::with_vocab_size(600, SpecialTokens::OpenAi)
        .unwrap()
        .to_json()
}

fn read(file: &Value) -> Result<ClipTokenizer, TextError> {
    ClipTokenizer::from_json(&serde_json::to_vec(file).unwrap())
}

/// Strings with what the stage looks for: letters, marks, mojibake, references, escapes.
fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<String>(),
        "[a-zÀ-ÿ€-™ -¿\u{80}-\u{9F}&#;<>'\\x1B\\[0-9\n\r ]{0,12}",
        "(&[a-zA-Z]{1,6};?|&#x?[0-9a-f]{1,7};?){0,4}",
        any::<String>().prop_map(|text| text.bytes().map(char::from).collect()),
    ];
    proptest::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_text_has_tokens_that_decode_to_its_words(text in any_text(), size in 514usize..=49_408) {
        let tokenizer = ClipTokenizer::with_vocab_size(size, SpecialTokens::OpenClip).unwrap();
        let ids = tokenizer.encode(&text, usize::MAX, Overflow::Refuse).unwrap();
        prop_assert_eq!(ids.first(), Some(&tokenizer.start_id()));
        prop_assert_eq!(ids.last(), Some(&tokenizer.end_id()));
        let clean = clean::clean(&text);
        let special = SpecialTokens::OpenClip.spelling();
        let words = split::words(&clean, SpecialTokens::OpenClip).filter(|word| !special.contains(word));
        prop_assert_eq!(tokenizer.decode(&ids), words.collect::<Vec<_>>().join(" "));
    }

    #[test]
    fn truncation_never_exceeds_the_context(text in any_text(), context_length in 2usize..20) {
        let ids = clip().encode(&text, context_length, Overflow::Truncate).unwrap();
        prop_assert!(ids.len() <= context_length);
        prop_assert_eq!(ids.last(), Some(&clip().end_id()));
    }

    #[test]
    fn hostile_json_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(ClipTokenizer::from_json(&bytes).is_err());
    }
}

/// A file of the golden SigLIP checkpoints.
fn siglip_file(name: &str) -> Vec<u8> {
    fs_err::read(diptych_testing::folder("layouts").join(name)).unwrap()
}

#[test]
fn siglip_texts_fill_the_context_and_are_cut_before_their_end() {
    let spiece = siglip_file("siglip/safetensors/spiece.model");
    let tokenizer = SiglipTokenizer::from_sentencepiece(&spiece, None).unwrap();
    let end = tokenizer.pad_id();
    let tokenizer = Tokenizer::Siglip(tokenizer);
    let encode = |text: &str, length, overflow| tokenizer.encode(text, length, overflow);
    let whole = encode("a photo of a cat", 20, Overflow::Refuse).unwrap();
    assert_eq!(whole.len(), 20);
    let n = whole.iter().position(|&id| id == end).unwrap();
    let cut = encode("a photo of a cat", n, Overflow::Truncate).unwrap();
    assert_eq!(cut[..n - 1], whole[..n - 1]);
    assert_eq!(cut[n - 1], end);
    let error = encode("a photo of a cat", n, Overflow::Refuse).unwrap_err();
    assert!(matches!(error, TextError::TooLong { tokens, .. } if tokens == n + 1));
    assert!(encode("a", 1 << 40, Overflow::Refuse).is_err());
    assert!(encode("a", 1, Overflow::Refuse).is_err());
    // Python's white space that is not Rust's.
    assert_eq!(
        encode("a\u{1f}cat", 9, Overflow::Refuse).unwrap(),
        encode("a cat", 9, Overflow::Refuse).unwrap()
    );
    assert_eq!(tokenizer.decode(&whole), "a photo of a cat");
}

/// `parity/pieces.py` made them with transformers: marks that make one letter with what they follow
/// or do not, widths, ligatures, digits that can be split in ways that are as likely as each other,
/// and texts of every other kind.
#[test]
fn sentencepiece_gives_the_references_ids() {
    let folder = diptych_testing::folder("pieces");
    let model = fs_err::read(folder.join("spiece.model")).unwrap();
    let tokenizer = SiglipTokenizer::from_sentencepiece(&model, None).unwrap();
    let tokenizer = Tokenizer::Siglip(tokenizer);
    let lines = fs_err::read_to_string(folder.join("ids.jsonl")).unwrap();
    let mut texts = 0;
    for line in lines.lines() {
        let (text, wanted): (String, Vec<u32>) = serde_json::from_str(line).unwrap();
        let ids = tokenizer.encode(&text, 64, Overflow::Truncate).unwrap();
        assert_eq!(ids[..wanted.len()], wanted, "{text:?}");
        assert!(ids[wanted.len()..].iter().all(|id| *id == 1), "{text:?}");
        texts += 1;
    }
    assert!(texts > 1000);
}

#[test]
fn siglip_2_is_lowered_after_its_special_tokens_and_ended_as_its_files_say() {
    let json = siglip_file("siglip2/safetensors/tokenizer.json");
    let encode = |config: Option<&str>, text: &str| {
        let config = config.map(str::as_bytes);
        let tokenizer = SiglipTokenizer::from_json(&json, config).unwrap();
        let ids = Tokenizer::Siglip(tokenizer).encode(text, 24, Overflow::Refuse);
        ids.unwrap()
    };
    let right = Some(r#"{"padding_side": "right"}"#);
    assert_eq!(encode(right, "A CAT"), encode(right, "a cat"));
    let (end, start) = (1, 2);
    assert_eq!(encode(right, "<eos>")[..2], [end, end]);
    assert_ne!(encode(right, "<EOS>")[0], end);
    let both = encode(
        Some(r#"{"padding_side": "right", "add_bos_token": true, "add_eos_token": true}"#),
        "a cat",
    );
    let plain = encode(right, "a cat");
    assert_eq!((both[0], &both[1..23]), (start, &plain[..23 - 1]));
    let neither = r#"{"padding_side": "left", "add_eos_token": false}"#;
    let neither = encode(Some(neither), "a cat");
    let n = plain.iter().position(|&id| id == end).unwrap();
    assert_eq!(neither[24 - n..], plain[..n]);
    // A template that names what its own table has not; `tokenizers` would panic, found by fuzzing.
    let text = String::from_utf8(json.clone()).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    file["post_processor"]["special_tokens"] = json!({});
    let bare = serde_json::to_vec(&file).unwrap();
    let tokenizer = SiglipTokenizer::from_json(&bare, right.map(str::as_bytes)).unwrap();
    let ids = Tokenizer::Siglip(tokenizer).encode("a cat", 24, Overflow::Refuse);
    assert_eq!(ids.unwrap(), plain);
    file["post_processor"]["single"] = json!([{"SpecialToken": {"id": "<none>", "type_id": 0}}]);
    let bare = serde_json::to_vec(&file).unwrap();
    let message = SiglipTokenizer::from_json(&bare, None)
        .unwrap_err()
        .to_string();
    assert!(message.contains("of one text"), "{message}");
    for affix in ["continuing_subword_prefix", "end_of_word_suffix"] {
        let mut file: Value = serde_json::from_str(&text).unwrap();
        file["model"][affix] = json!("##");
        let marked = serde_json::to_vec(&file).unwrap();
        let error = SiglipTokenizer::from_json(&marked, None).unwrap_err();
        assert!(error.to_string().contains(affix), "{error}");
    }
    let refused = SiglipTokenizer::from_json(&json, Some(br#"{"padding_side": "up"}"#));
    assert!(refused.unwrap_err().to_string().contains("`up`"));
}

#[test]
fn damaged_siglip_tokenizers_are_refused_or_encode() {
    let spiece = siglip_file("siglip/safetensors/spiece.model");
    let json = siglip_file("siglip2/safetensors/tokenizer.json");
    let mut random = 1u64;
    let mut draw = |n: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % n
    };
    for round in 0..2000 {
        let mut bytes = if round % 2 == 0 {
            spiece.clone()
        } else {
            json.clone()
        };
        for _ in 0..1 + draw(4) {
            let place = draw(bytes.len());
            bytes[place] ^= 1 << draw(8);
        }
        if round % 7 == 0 {
            bytes.truncate(draw(bytes.len()));
        }
        let read = match round % 2 {
            0 => SiglipTokenizer::from_sentencepiece(&bytes, None),
            _ => SiglipTokenizer::from_json(&bytes, None),
        };
        if let Ok(tokenizer) = read {
            let ids = Tokenizer::Siglip(tokenizer).encode("Ａ ﬁsh, don't", 16, Overflow::Truncate);
            assert!(ids.is_err() || ids.unwrap().len() == 16);
        }
    }
}
