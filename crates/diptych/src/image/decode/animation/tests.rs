//! Animations made here, frame by frame.

use std::borrow::Cow;

use super::*;
use crate::image::Encoding;

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255, 255, 255];

/// Frames as they are shown: the colours of four pixels in a row, and milliseconds.
fn shown(bytes: Vec<u8>) -> Vec<(Vec<[u8; 3]>, u128)> {
    let animation = Animation::open(bytes, &DecodeOptions::default()).unwrap();
    let frames = animation.expect("an animation");
    frames
        .map(|frame| {
            let frame = frame.unwrap();
            assert_eq!((frame.picture.width(), frame.picture.height()), (4, 1));
            let pixels = frame.picture.as_bytes().chunks_exact(3);
            let pixels = pixels.map(|p| [p[0], p[1], p[2]]).collect();
            (pixels, frame.delay.as_millis())
        })
        .collect()
}

/// A frame of a GIF of one colour that begins at a column.
fn gif_frame(
    left: u16,
    width: u16,
    index: u8,
    dispose: ::gif::DisposalMethod,
    delay: u16,
) -> ::gif::Frame<'static> {
    ::gif::Frame {
        left,
        width,
        height: 1,
        delay,
        dispose,
        transparent: Some(3),
        buffer: Cow::Owned(vec![index; usize::from(width)]),
        ..::gif::Frame::default()
    }
}

fn gif(frames: &[::gif::Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let palette = [RED, GREEN, BLUE, WHITE].concat();
    let mut encoder = ::gif::Encoder::new(&mut bytes, 4, 1, &palette).unwrap();
    frames
        .iter()
        .for_each(|frame| encoder.write_frame(frame).unwrap());
    drop(encoder);
    bytes
}

#[test]
fn frames_of_a_gif_are_put_on_each_other_and_taken_away() {
    use ::gif::DisposalMethod::{Background, Keep, Previous};
    let bytes = gif(&[
        gif_frame(0, 4, 0, Keep, 50),
        gif_frame(1, 1, 1, Previous, 0),
        gif_frame(2, 1, 2, Background, 1),
        // Its second pixel lies outside.
        gif_frame(3, 2, 1, Keep, 2),
        gif_frame(0, 4, 3, Keep, 7),
    ]);
    assert_eq!(
        shown(bytes),
        [
            (vec![RED; 4], 500),
            (vec![RED, GREEN, RED, RED], 100),
            (vec![RED, RED, BLUE, RED], 100),
            (vec![RED, RED, WHITE, GREEN], 20),
            // All of it is see-through.
            (vec![RED, RED, WHITE, GREEN], 70),
        ]
    );
}

/// An APNG of frames of 4, 2 and 4 pixels; before them, if asked for, a picture that is not shown.
fn apng(with_still: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut bytes, 4, 1);
    encoder.set_color(::png::ColorType::Rgba);
    encoder.set_animated(3, 0).unwrap();
    encoder.set_frame_delay(1, 4).unwrap();
    encoder.set_sep_def_img(with_still).unwrap();
    let mut writer = encoder.write_header().unwrap();
    if with_still {
        writer.write_image_data(&[9; 16]).unwrap();
    }
    let opaque = |colour: [u8; 3]| [&colour[..], &[255]].concat();
    writer.write_image_data(&opaque(RED).repeat(4)).unwrap();
    writer.set_frame_dimension(2, 1).unwrap();
    writer.set_frame_position(1, 0).unwrap();
    writer.set_blend_op(::png::BlendOp::Over).unwrap();
    writer.set_dispose_op(::png::DisposeOp::Previous).unwrap();
    writer.set_frame_delay(3, 0).unwrap();
    // Half of blue over red, and nothing.
    writer
        .write_image_data(&[0, 0, 255, 128, 0, 0, 0, 0])
        .unwrap();
    writer.reset_frame_position().unwrap();
    writer.reset_frame_dimension().unwrap();
    writer.set_blend_op(::png::BlendOp::Source).unwrap();
    writer
        .write_image_data(&[opaque(GREEN), vec![0; 12]].concat())
        .unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn frames_of_an_apng_are_blended() {
    for with_still in [false, true] {
        let frames = shown(apng(with_still));
        assert_eq!(frames.len(), 3);
        assert_eq!(frames[0], (vec![RED; 4], 250));
        assert_eq!(frames[1], (vec![RED, [127, 0, 128], RED, RED], 30));
        assert_eq!(frames[2].0, [GREEN, WHITE, WHITE, WHITE]);
    }
}

/// An animated WebP of pictures of 4 × 1 pixels.
fn webp(colours: &[[u8; 3]], delay: u8) -> Vec<u8> {
    let mut content = b"WEBP".to_vec();
    let mut add = |name: &[u8; 4], data: &[u8]| {
        content.extend(name);
        content.extend((data.len() as u32).to_le_bytes());
        content.extend(data);
    };
    // Flags, then the sides less one in three bytes each.
    add(b"VP8X", &[0x02, 0, 0, 0, 3, 0, 0, 0, 0, 0]);
    add(b"ANIM", &[255, 255, 255, 255, 0, 0]);
    for colour in colours {
        let picture = Picture::from_rgb(4, 1, colour.repeat(4)).unwrap();
        let still = Encoding::WebP.encode(&picture).unwrap();
        let mut frame = vec![0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, delay, 0, 0, 0];
        // What stands behind `RIFF`, a length and `WEBP`.
        frame.extend(&still[12..]);
        add(b"ANMF", &frame);
    }
    let length = (content.len() as u32).to_le_bytes();
    [b"RIFF", &length[..], &content].concat()
}

#[test]
fn frames_of_a_webp_are_shown() {
    assert_eq!(
        shown(webp(&[RED, BLUE], 40)),
        [(vec![RED; 4], 40), (vec![BLUE; 4], 40)]
    );
}

#[test]
fn stills_and_other_formats_are_no_animations() {
    let picture = Picture::from_rgb(4, 1, RED.repeat(4)).unwrap();
    let stills = [Encoding::Png, Encoding::WebP, Encoding::Jpeg]
        .map(|encoding| encoding.encode(&picture).unwrap());
    let of_one = gif(&[gif_frame(0, 4, 0, ::gif::DisposalMethod::Keep, 5)]);
    for bytes in stills
        .into_iter()
        .chain([of_one, webp(&[RED], 9), b"text".to_vec(), vec![]])
    {
        let opened = Animation::open(bytes, &DecodeOptions::default()).unwrap();
        assert!(opened.is_none());
    }
}

#[test]
fn what_is_cut_off_ends_in_an_error_and_what_is_too_large_begins_with_one() {
    use ::gif::DisposalMethod::Keep;
    let whole = [
        gif(&[0, 1, 2].map(|index| gif_frame(0, 4, index, Keep, 5))),
        apng(false),
        webp(&[RED, BLUE, GREEN], 40),
    ];
    for bytes in whole {
        for length in 0..bytes.len() {
            let opened = Animation::open(bytes[..length].to_vec(), &DecodeOptions::default());
            if let Ok(Some(frames)) = opened {
                assert!(
                    frames.take(10).count() <= 4,
                    "at most three frames and an error"
                );
            }
        }
        let none = DecodeOptions {
            max_megapixels: 0,
            ..DecodeOptions::default()
        };
        let refused = Animation::open(bytes, &none);
        assert!(matches!(refused, Err(ImageError::TooLarge { .. })));
    }
}
