//! Keys that let others open a session with us while we are away, and the same keys of others.

pub mod record;
