//! Scenarios of the token specification on the machines themselves: a memory store and virtual
//! time. The number in a name is the scenario's number.
// Marks the helpers as test code for the lints.
#![cfg(test)]

mod history;
mod keeping;
mod lifecycle;
mod limits;
mod pacing;
mod props;
mod stanzas;
mod world;
