//! Counts what is decoded, so that a test can say that something was not.

use std::cell::Cell;

thread_local! {
    static DECODED: Cell<usize> = const { Cell::new(0) };
}

/// Notes that `bytes` of raw JSON were decoded.
pub(crate) fn count(bytes: usize) {
    DECODED.with(|decoded| decoded.set(decoded.get() + bytes));
}

/// How many bytes of raw JSON this thread decodes while `work` runs.
pub(crate) fn decoded_by(work: impl FnOnce()) -> usize {
    let before = DECODED.with(Cell::get);
    work();
    DECODED.with(Cell::get) - before
}
