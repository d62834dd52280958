//! Environment → [`Protocol`], without asking the terminal: its answer would come by stdin, which
//! may be anything.
//!
//! Sources: what the terminals set, and of Konsole `Vt102Emulation.cpp`, commit a626e1b.
//! Invariant: in doubt half blocks, which are seen everywhere; a terminal that does not know a
//! protocol shows nothing at all.

use super::Protocol;

/// Konsole 22.04, the first with pictures, as `KONSOLE_VERSION` counts.
const KONSOLE_WITH_PICTURES: u32 = 220_400;

impl Protocol {
    /// The best protocol that the terminal is known to speak; none, if it says that it has no
    /// colours or can't move its cursor.
    pub(crate) fn detect(env: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let value = |name: &str| env(name).unwrap_or_default();
        let is_set = |name: &str| !value(name).is_empty();
        let term = value("TERM");

        if term == "dumb" {
            return None;
        }
        // They draw text only, and hand the variables of the terminal around them on.
        let multiplexer = ["TMUX", "STY", "ZELLIJ"].into_iter().any(is_set);
        if multiplexer || term.starts_with("tmux") || term.starts_with("screen") {
            return Some(Self::Blocks);
        }
        // From what each terminal sets anew to what it may have inherited from another.
        if let Some(protocol) = of_term(&term).or_else(|| of_program(&value("TERM_PROGRAM"))) {
            return Some(protocol);
        }
        let konsole = value("KONSOLE_VERSION").parse::<u32>();
        let is_kitty =
            is_set("KITTY_WINDOW_ID") || konsole.is_ok_and(|v| v >= KONSOLE_WITH_PICTURES);
        Some(if is_kitty {
            Self::Kitty
        } else if value("LC_TERMINAL") == "iTerm2" {
            // Unlike the others it crosses SSH.
            Self::ITerm2
        } else if is_set("MLTERM") {
            Self::Sixel
        } else {
            Self::Blocks
        })
    }
}

fn of_term(term: &str) -> Option<Protocol> {
    // `foot-extra` and `mlterm-256color` are variants.
    match term.split('-').next()? {
        "foot" | "mlterm" => Some(Protocol::Sixel),
        _ if matches!(term, "xterm-kitty" | "xterm-ghostty") => Some(Protocol::Kitty),
        _ => None,
    }
}

fn of_program(program: &str) -> Option<Protocol> {
    match program {
        "ghostty" => Some(Protocol::Kitty),
        "iTerm.app" | "WezTerm" | "mintty" => Some(Protocol::ITerm2),
        // It could draw, but `terminal.integrated.enableImages` is off unless the user set it.
        "vscode" => Some(Protocol::Blocks),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(variables: &[(&str, &str)]) -> Option<Protocol> {
        Protocol::detect(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn terminals_get_what_they_speak() {
        let table: &[(&[(&str, &str)], Protocol)] = &[
            (&[("TERM", "xterm-kitty")], Protocol::Kitty),
            (&[("TERM", "xterm-ghostty")], Protocol::Kitty),
            (&[("TERM_PROGRAM", "ghostty")], Protocol::Kitty),
            (&[("KITTY_WINDOW_ID", "1")], Protocol::Kitty),
            (&[("KONSOLE_VERSION", "230805")], Protocol::Kitty),
            (&[("TERM_PROGRAM", "iTerm.app")], Protocol::ITerm2),
            (&[("TERM_PROGRAM", "WezTerm")], Protocol::ITerm2),
            (&[("TERM_PROGRAM", "mintty")], Protocol::ITerm2),
            (&[("LC_TERMINAL", "iTerm2")], Protocol::ITerm2),
            (&[("TERM", "foot")], Protocol::Sixel),
            (&[("TERM", "foot-extra")], Protocol::Sixel),
            (&[("TERM", "mlterm-256color")], Protocol::Sixel),
            (&[("MLTERM", "3.9.3")], Protocol::Sixel),
            (&[("TERM", "xterm-256color")], Protocol::Blocks),
            (&[("TERM", "footloose")], Protocol::Blocks),
            (&[("TERM_PROGRAM", "Apple_Terminal")], Protocol::Blocks),
            (&[("TERM_PROGRAM", "vscode")], Protocol::Blocks),
            (&[("KONSOLE_VERSION", "210802")], Protocol::Blocks),
            (&[("KONSOLE_VERSION", "new")], Protocol::Blocks),
            (&[("KITTY_WINDOW_ID", "")], Protocol::Blocks),
            (&[], Protocol::Blocks),
        ];
        for (variables, protocol) in table {
            assert_eq!(detect(variables), Some(*protocol), "{variables:?}");
        }
    }

    #[test]
    fn a_dumb_terminal_shows_nothing() {
        assert_eq!(detect(&[("TERM", "dumb")]), None);
        assert_eq!(detect(&[("TERM", "dumb"), ("KITTY_WINDOW_ID", "1")]), None);
    }

    #[test]
    fn a_multiplexer_hides_the_terminal_around_it() {
        for inner in [
            ("TMUX", "/tmp/tmux-0/default,1,0"),
            ("STY", "1.pts-0.host"),
            ("ZELLIJ", "0"),
            ("TERM", "tmux-256color"),
            ("TERM", "screen"),
        ] {
            let outer = ("KITTY_WINDOW_ID", "1");
            assert_eq!(detect(&[inner, outer]), Some(Protocol::Blocks), "{inner:?}");
        }
        let variables = [("ZELLIJ", "0"), ("TERM", "xterm-kitty")];
        assert_eq!(detect(&variables), Some(Protocol::Blocks));
    }

    #[test]
    fn a_terminal_counts_for_more_than_the_one_it_was_started_from() {
        let kitty_in_iterm = [("TERM_PROGRAM", "iTerm.app"), ("TERM", "xterm-kitty")];
        assert_eq!(detect(&kitty_in_iterm), Some(Protocol::Kitty));
        let code_in_kitty = [("TERM_PROGRAM", "vscode"), ("KITTY_WINDOW_ID", "1")];
        assert_eq!(detect(&code_in_kitty), Some(Protocol::Blocks));
    }
}
