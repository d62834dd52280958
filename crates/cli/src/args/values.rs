//! Parsers of single option values: which values are accepted, and the error for any other.

use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Reads one of the names in `table`.
pub(super) fn one_of<T: Copy + Send + Sync>(
    table: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(table.iter().map(|(name, _)| *name)).try_map(move |given| {
        let found = table.iter().find(|(name, _)| *name == given);
        found.map(|(_, value)| *value).ok_or("unknown name")
    })
}

/// Reads a whole number from `least` to `most`.
pub(super) fn count(
    least: u32,
    most: u32,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse::<u32>().ok();
        let number = number.filter(|number| (least..=most).contains(number));
        number
            .map(|number| number as usize)
            .ok_or_else(|| match most {
                u32::MAX => format!("wanted a whole number of {least} or more"),
                _ => format!("wanted a whole number from {least} to {most}"),
            })
    }
}

/// Reads a sentence with a place for the label.
pub(super) fn template(text: &str) -> Result<String, &'static str> {
    if text.contains("{}") {
        Ok(text.to_owned())
    } else {
        Err("it has no `{}` for the label")
    }
}

/// Reads what all labels are.
pub(super) fn context(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("it is empty"),
        text if text.contains("{}") => Err("it is the same for all labels, and has no `{}`"),
        text => Ok(text.to_owned()),
    }
}
