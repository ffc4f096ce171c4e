//! What a server is started with.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use crate::cert::CertFault;
use crate::time::TimeSource;

/// Settings of a [`crate::ModelServer`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; anything but a loopback address is refused. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where time comes from.
    pub time: TimeSource,
    /// Seed of every key and random byte.
    pub seed: u64,
    /// What is wrong with the certificate chain.
    pub cert_fault: CertFault,
    /// AB props: code and value.
    pub props: BTreeMap<u32, String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            time: TimeSource::System,
            seed: 1,
            cert_fault: CertFault::None,
            props: props(),
        }
    }
}

/// What a live server was seen to send where it is known (909), else the registry's default with the
/// newer ways of tokens switched on. Source: tokens spec 3.2.
fn props() -> BTreeMap<u32, String> {
    let values = [
        (865, "604800"),
        (909, "26"),
        (996, "604800"),
        (997, "4"),
        (14_303, "1"),
        (24_941, "1"),
    ];
    values.map(|(code, value)| (code, value.to_owned())).into()
}
