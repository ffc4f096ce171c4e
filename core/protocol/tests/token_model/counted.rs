//! What a machine left aside since it was made: nothing is dropped without a trace.

use sendpath_protocol::tctoken::Counters;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counted {
    pub(crate) bad_time: u64,
    pub(crate) empty: u64,
    pub(crate) failed_reads: u64,
    pub(crate) from_the_future: u64,
    pub(crate) not_a_contact: u64,
    pub(crate) older: u64,
    pub(crate) unknown_results: u64,
    pub(crate) unknown_type: u64,
}

impl From<&Counters> for Counted {
    fn from(counters: &Counters) -> Self {
        Self {
            bad_time: counters.ignored.bad_time,
            empty: counters.ignored.empty,
            failed_reads: counters.failed_reads,
            from_the_future: counters.from_the_future,
            not_a_contact: counters.not_a_contact,
            older: counters.older,
            unknown_results: counters.unknown_results,
            unknown_type: counters.ignored.unknown_type,
        }
    }
}
