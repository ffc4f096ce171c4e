//! The server as clients see it, over a real loopback connection.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests lie outside of test functions"
)]

mod chats;
mod client;
mod linking;
mod props;
mod queues;
mod retries;
