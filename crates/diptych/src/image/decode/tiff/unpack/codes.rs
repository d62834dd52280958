//! The codes of runs in fax machines' pictures, as they are printed in T.4, and tables to read them
//! by.

use std::sync::LazyLock;

/// Most bits of a code.
pub(super) const BITS: u32 = 13;

/// The meaning of a code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Code {
    /// The end of a run, of so many more pixels.
    End(u16),
    /// So many pixels of a run that goes on.
    More(u16),
    /// The end of the line.
    Line,
    #[default]
    None,
}

/// Codes by the next 13 bits, and the bits that are theirs.
pub(super) type Table = Vec<(u32, Code)>;

/// Tables of white and black runs.
pub(super) static WHITE: LazyLock<Table> = LazyLock::new(|| table(WHITE_ENDS, WHITE_MORE));
pub(super) static BLACK: LazyLock<Table> = LazyLock::new(|| table(BLACK_ENDS, BLACK_MORE));

fn table(ends: &str, more: &str) -> Table {
    let mut table = vec![(0, Code::None); 1 << BITS];
    let mut add = |text: &str, code: Code| {
        let length = text.len() as u32;
        let value = u32::from_str_radix(text, 2).unwrap_or_default();
        let rest = BITS - length;
        let start = (value << rest) as usize;
        table[start..start + (1 << rest)].fill((length, code));
    };
    for (run, text) in (0..).zip(ends.split_whitespace()) {
        add(text, Code::End(run));
    }
    for (run, text) in (1..).zip(more.split_whitespace().chain(LONG_MORE.split_whitespace())) {
        add(text, Code::More(64 * run));
    }
    add("00000000000", Code::Line);
    table
}

/// Runs of 0 to 63 white pixels.
const WHITE_ENDS: &str = "
    00110101 000111   0111     1000     1011     1100     1110     1111
    10011    10100    00111    01000    001000   000011   110100   110101
    101010   101011   0100111  0001100  0001000  0010111  0000011  0000100
    0101000  0101011  0010011  0100100  0011000  00000010 00000011 00011010
    00011011 00010010 00010011 00010100 00010101 00010110 00010111 00101000
    00101001 00101010 00101011 00101100 00101101 00000100 00000101 00001010
    00001011 01010010 01010011 01010100 01010101 00100100 00100101 01011000
    01011001 01011010 01011011 01001010 01001011 00110010 00110011 00110100";

/// 64 to 1,728 white pixels, in steps of 64.
const WHITE_MORE: &str = "
    11011     10010     010111    0110111   00110110  00110111  01100100
    01100101  01101000  01100111  011001100 011001101 011010010 011010011
    011010100 011010101 011010110 011010111 011011000 011011001 011011010
    011011011 010011000 010011001 010011010 011000    010011011";

/// Runs of 0 to 63 black pixels.
const BLACK_ENDS: &str = "
    0000110111   010          11           10           011          0011
    0010         00011        000101       000100       0000100      0000101
    0000111      00000100     00000111     000011000    0000010111   0000011000
    0000001000   00001100111  00001101000  00001101100  00000110111  00000101000
    00000010111  00000011000  000011001010 000011001011 000011001100 000011001101
    000001101000 000001101001 000001101010 000001101011 000011010010 000011010011
    000011010100 000011010101 000011010110 000011010111 000001101100 000001101101
    000011011010 000011011011 000001010100 000001010101 000001010110 000001010111
    000001100100 000001100101 000001010010 000001010011 000000100100 000000110111
    000000111000 000000100111 000000101000 000001011000 000001011001 000000101011
    000000101100 000001011010 000001100110 000001100111";

/// 64 to 1,728 black pixels, in steps of 64.
const BLACK_MORE: &str = "
    0000001111    000011001000  000011001001  000001011011  000000110011
    000000110100  000000110101  0000001101100 0000001101101 0000001001010
    0000001001011 0000001001100 0000001001101 0000001110010 0000001110011
    0000001110100 0000001110101 0000001110110 0000001110111 0000001010010
    0000001010011 0000001010100 0000001010101 0000001011010 0000001011011
    0000001100100 0000001100101";

/// 1,792 to 2,560 pixels of either colour, in steps of 64.
const LONG_MORE: &str = "
    00000001000  00000001100  00000001101  000000010010 000000010011
    000000010100 000000010101 000000010110 000000010111 000000011100
    000000011101 000000011110 000000011111";
