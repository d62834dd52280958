//! Texts in messages.

use std::borrow::Cow;

/// Characters up to which a message quotes a text whole.
const WHOLE: usize = 80;

/// Characters of a longer one's beginning.
const BEGINNING: usize = 60;

/// A text as a message quotes it: one that is long by its beginning.
pub fn shortened(text: &str) -> Cow<'_, str> {
    let n = text.chars().count();
    if n <= WHOLE {
        return text.into();
    }
    let beginning: String = text.chars().take(BEGINNING).collect();
    format!("{}… ({n} characters)", beginning.trim_end()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_quoted_by_their_beginning() {
        let whole = "é".repeat(80);
        assert_eq!(shortened(&whole), whole);
        let long = "猫 ".repeat(41);
        let beginning = "猫 ".repeat(30);
        assert_eq!(
            shortened(&long),
            format!("{}… (82 characters)", beginning.trim_end())
        );
    }
}
