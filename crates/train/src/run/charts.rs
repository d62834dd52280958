//! Charts of a task on its run's page, told by where their numbers are in the record.

/// A chart of one or several curves.
#[derive(Clone, Copy, Debug)]
pub struct Chart {
    /// Its heading.
    pub title: &'static str,
    /// Its curves.
    pub curves: &'static [Curve],
}

/// Where a line of the record has a curve's number, as JSON pointers (RFC 6901).
#[derive(Clone, Copy, Debug)]
pub enum Curve {
    /// One curve.
    At {
        /// Its name.
        name: &'static str,
        /// Where its number is: `/accuracy` of a step, `/measured/image/2` of a measurement.
        number: &'static str,
    },
    /// A curve for each object of a list that may change from line to line.
    Each {
        /// Where the list is.
        list: &'static str,
        /// Where an object of it has its name.
        name: &'static str,
        /// Where an object of it has its number.
        number: &'static str,
    },
}
