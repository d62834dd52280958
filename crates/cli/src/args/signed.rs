//! Terms of a query that begin with `-`, which a command line takes for options.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};
use clap::{Command, CommandFactory, Error};

use super::Cli;

/// The error of a command line, or if it is about a term of a query a better one: `-people` is no
/// option `-p`, `-horse` asks for no help, and `-kitten` is no number of hits.
pub(crate) fn explain(error: Error, args: impl IntoIterator<Item = OsString>) -> Error {
    let mut cli = Cli::command();
    cli.build();
    let Some(search) = cli.find_subcommand_mut("search") else {
        return error;
    };
    let Some(term) = option_of(&error).and_then(|option| term(&option, search, args)) else {
        return error;
    };
    search.error(
        ErrorKind::UnknownArgument,
        format_args!(
            "`{term}` was taken for an option\n\n  tip: as a part of the query it stands in one argument with a word before it, as in \
             \"beach {term}\", or after `--`"
        ),
    )
}

/// The short option that an error is about.
fn option_of(error: &Error) -> Option<String> {
    match error.kind() {
        ErrorKind::UnknownArgument => Some(error.get(ContextKind::InvalidArg)?.to_string()),
        ErrorKind::DisplayHelp => Some("-h".into()),
        // It is no number, or there is one already.
        ErrorKind::ValueValidation | ErrorKind::ArgumentConflict => Some("-k".into()),
        _ => None,
    }
}

/// The term that begins like an option, if the command line is a search.
fn term(
    option: &str,
    search: &Command,
    args: impl IntoIterator<Item = OsString>,
) -> Option<String> {
    let args = args.into_iter().skip(1);
    let args = args.map(|arg| arg.to_string_lossy().into_owned());
    let is_global = |arg: &String| arg.starts_with('-') || arg.parse::<usize>().is_ok();
    let args: Vec<String> = args.skip_while(is_global).collect();
    if args.first()? != "search" {
        return None;
    }
    let takes_a_value = |arg: &str| {
        let name = arg.strip_prefix("--");
        name.is_some() && search.get_opts().any(|option| option.get_long() == name)
    };
    // Of options that there are, `-k3` and `-k=3` are none.
    let is_known = ["-h", "-k"].contains(&option);
    let begins_a_word = |rest: &str| rest.starts_with(|c: char| !c.is_ascii_digit() && c != '=');
    let is_term = |arg: &str| {
        let rest = arg.strip_prefix(option).filter(|_| !arg.starts_with("--"));
        rest.is_some_and(|rest| !is_known || begins_a_word(rest))
    };
    let mut pairs = args.windows(2).take_while(|pair| pair[1] != "--");
    let found = pairs.find(|pair| !takes_a_value(&pair[0]) && is_term(&pair[1]));
    Some(found?[1].clone())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn told(args: &[&str]) -> String {
        let args = || std::iter::once("diptych").chain(args.iter().copied());
        let error = Cli::try_parse_from(args()).unwrap_err();
        explain(error, args().map(Into::into)).to_string()
    }

    #[test]
    fn a_term_that_is_taken_for_options_is_told() {
        for (args, term) in [
            (&["search", "-people"][..], "-people"),
            (&["search", "beach", "-people", "--json"], "-people"),
            (&["--threads", "2", "search", "beach", "-horse"], "-horse"),
            (&["search", "-k", "3", "beach", "-khaki"], "-khaki"),
            (&["search", "-0.5:snow"], "-0.5:snow"),
            (&["search", "dog", "-雪"], "-雪"),
        ] {
            let told = told(args);
            let tip = format!("\"beach {term}\", or after `--`");
            assert!(
                told.contains(&tip) && told.contains("diptych search"),
                "{told}"
            );
        }
    }

    #[test]
    fn other_errors_are_left_alone() {
        for args in [
            &["search", "beach", "--jsn", "-people"][..],
            &["search", "beach", "-k", "many"],
            &["search", "beach", "-k=x"],
            &["search", "--help", "-people"],
            &["search", "-h"],
            &["search", "--template", "-people"],
            &["similar", "-people"],
            &["embed", "search", "-people"],
        ] {
            assert!(!told(args).contains("beach -"), "{args:?}");
        }
    }

    #[test]
    fn after_two_dashes_it_is_a_term() {
        let cli = Cli::try_parse_from(["diptych", "search", "--json", "--", "-people"]).unwrap();
        let super::super::Command::Search(search) = cli.command else {
            panic!("{cli:?}");
        };
        assert_eq!(search.query, ["-people"]);
    }
}
