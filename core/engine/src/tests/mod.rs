//! Tests of the driver: a scripted session, a clock moved by hand, connections without a network.

mod engine;
mod rig;
mod shard;
mod socket;
mod store;
