//! The guest as its host sees it: facts in, plans and work out, with a memory store and virtual
//! time.
// Marks the helpers as test code for the lints.
#![cfg(test)]

mod facts;
mod plans;
mod questions;
mod refusals;
mod restarts;
mod rows;
mod work;
mod world;
