//! The server must prove who it is: every broken chain is its own error.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use sendpath_e2e::open_engine;
use sendpath_engine::{AccountConfig, AccountEvent};
use sendpath_model_server::{CertFault, Config, ModelServer};
use sendpath_protocol::config::ServerConfig;
use sendpath_protocol::event::{DisconnectReason, Event};

/// Connects to a server with that fault; the reason for the end of the connection.
fn refused(fault: CertFault, own_root: Option<[u8; 32]>) -> DisconnectReason {
    let server = ModelServer::start(Config {
        cert_fault: fault,
        ..Config::default()
    })
    .unwrap();
    let engine = open_engine("memory:");
    let mut config = AccountConfig::default();
    let root_key = own_root.unwrap_or_else(|| server.root_key());
    config.server = ServerConfig {
        url: server.url(),
        root_key,
        ..ServerConfig::default()
    };
    let account = engine.account("shop", config).unwrap();
    account.connect().unwrap();
    loop {
        let next = account
            .next_event(Some(std::time::Duration::from_secs(30)))
            .unwrap();
        if let Some(AccountEvent::Event(Event::Disconnected { reason })) = next {
            return reason;
        }
    }
}

#[test]
fn every_broken_chain_is_its_own_error() {
    let mut seen = Vec::new();
    for fault in [
        CertFault::BadIntermediateSignature,
        CertFault::BadLeafSignature,
        CertFault::Expired,
        CertFault::IntermediateExpired,
        CertFault::LeafIsNotStaticKey,
        CertFault::NotYetValid,
        CertFault::WrongIssuer,
    ] {
        let reason = refused(fault, None);
        assert!(
            matches!(reason, DisconnectReason::Handshake(_)),
            "{reason:?}"
        );
        assert!(!seen.contains(&reason), "{reason:?} came twice");
        seen.push(reason);
    }
}

#[test]
fn the_real_root_key_refuses_a_model_server() {
    let real = ServerConfig::default().root_key;
    assert!(matches!(
        refused(CertFault::None, Some(real)),
        DisconnectReason::Handshake(_)
    ));
}
