//! Decoders and parsers that others wrote, called where a panic is an error of the one input that
//! they were reading.
//!
//! One picture of a hundred thousand that makes a decoder panic must cost that picture and no more,
//! and stderr is for our own messages. Every decoder of pictures, tables and archives is called
//! through [`guarded`]. Invariant: a panic elsewhere is reported as ever. A stack that overflows
//! can't be caught, so depth is checked before.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// A decoder panicked: the input is damaged in a way that its author did not think of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the decoder gave up")]
pub struct GaveUp;

thread_local! {
    /// Whether this thread is inside [`guarded`].
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder that starts no threads of its own: on those a panic would be heard.
///
/// The first call puts a panic hook before the process's own, to keep caught panics off stderr; a
/// hook that is set later replaces it. Where panics abort (`panic = "abort"`) nothing can be
/// caught.
///
/// If it gives up, values that it changes through a reference may be half changed, and are to be
/// thrown away.
///
/// # Errors
/// [`GaveUp`] if it panicked.
pub fn guarded<T>(decode: impl FnOnce() -> T) -> Result<T, GaveUp> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(report_only_others);
    let outer = GUARDED.replace(true);
    let decoded = panic::catch_unwind(AssertUnwindSafe(decode));
    GUARDED.set(outer);
    decoded.map_err(|_| GaveUp)
}

/// Puts a hook before the one there is, which hears of panics outside [`guarded`] alone.
fn report_only_others() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !GUARDED.get() {
            report(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_thread_goes_on() {
        let empty: &[u8] = &[];
        assert_eq!(guarded(|| empty[0]), Err(GaveUp));
        assert_eq!(guarded(|| 7), Ok(7));
        // One inside the other: the inner one does not end the silence of the outer one.
        assert_eq!(guarded(|| guarded(|| empty[0])), Ok(Err(GaveUp)));
        let nested = guarded(|| {
            let _ = guarded(|| empty[0]);
            GUARDED.get()
        });
        assert_eq!((nested, GUARDED.get()), (Ok(true), false));
    }

    #[test]
    fn only_panics_outside_are_reported() {
        static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let usual = panic::take_hook();
        panic::set_hook(Box::new(|panic| {
            let said = panic.payload_as_str().unwrap_or_default();
            HEARD.lock().unwrap().push(said.to_owned());
        }));
        report_only_others();
        let _ = guarded(|| panic!("guard test: inside"));
        let _ = std::thread::spawn(|| panic!("guard test: outside")).join();
        panic::set_hook(usual);
        // Tests beside this one may panic, too.
        let mut heard = HEARD.lock().unwrap().clone();
        heard.retain(|said| said.starts_with("guard test"));
        assert_eq!(heard, ["guard test: outside"]);
    }
}
