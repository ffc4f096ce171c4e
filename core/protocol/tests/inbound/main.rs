//! What a session answers to what comes in: the tables of the specification, row by row. The devices
//! of others encrypt with their own keys in a store of their own; nothing else stands between.
#![cfg(test)]

#[path = "../schema/mod.rs"]
mod schema;

mod acks;
mod backlog;
mod newsletters;
mod notifications;
mod outcomes;
mod placeholders;
mod receipts;
mod votes;
mod world;
