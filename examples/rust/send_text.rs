//! Links a device, sends one text and says what became of it.
//!
//! ```text
//! cargo run -p sendpath-engine --example send_text -- STORE TO TEXT [URL ROOT_KEY]
//! ```
//!
//! STORE is a file that keeps the device; TO is a phone number or a JID. The QR codes that appear
//! are to be scanned in WhatsApp under "Linked devices". URL and ROOT_KEY (64 hex digits) name
//! another server than WhatsApp's, as tests do.
#![expect(clippy::print_stdout, reason = "the example talks to its user")]

use std::error::Error;

use sendpath_engine::{
    Account, AccountConfig, AccountEvent, Engine, EngineConfig, SendOptions, StoreSpec,
};
use sendpath_protocol::config::ServerConfig;
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::Outcome;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut config = AccountConfig::default();
    let [store, to, text] = match args.as_slice() {
        [store, to, text] => [store, to, text],
        [store, to, text, url, root_key] => {
            config.server = another_server(url, root_key)?;
            [store, to, text]
        }
        _ => return Err("usage: send_text STORE TO TEXT [URL ROOT_KEY]".into()),
    };
    let engine = Engine::open(EngineConfig::new(StoreSpec::Uri(store.clone())))?;
    let account = engine.account("example", config)?;
    account.connect()?;
    wait_online(&account)?;
    let sending = account.send_text(to, text, SendOptions::default())?;
    match sending.wait_blocking(None) {
        Some(Outcome::Accepted { id, .. }) => println!("accepted: {id}"),
        Some(Outcome::Refused(refusal)) => {
            println!("refused: {}", refusal.cause.as_str());
            println!("  {}", refusal.cause.advice());
            println!("  next: {:?}", refusal.next());
        }
        other => println!("nobody knows: {other:?}"),
    }
    engine.close()?;
    Ok(())
}

/// Shows QR codes until the account is linked and online.
fn wait_online(account: &Account) -> Result<(), Box<dyn Error>> {
    while let Some(next) = account.next_event(None)? {
        match next {
            AccountEvent::Event(Event::PairQr { text, .. }) => println!("scan: {text}"),
            AccountEvent::Event(Event::Paired { jid, .. }) => println!("linked: {}", jid.reveal()),
            AccountEvent::Event(Event::Connected) => break,
            AccountEvent::Event(Event::PairFailed { reason }) => {
                return Err(format!("not linked: {reason:?}").into());
            }
            AccountEvent::Event(Event::LoggedOut { reason }) => {
                return Err(format!("not linked: {reason:?}").into());
            }
            _ => {}
        }
    }
    Ok(())
}

fn another_server(url: &str, root_key: &str) -> Result<ServerConfig, Box<dyn Error>> {
    let byte = |at: usize| u8::from_str_radix(root_key.get(at..at + 2).unwrap_or_default(), 16);
    let root_key: Result<Vec<u8>, _> = (0..64).step_by(2).map(byte).collect();
    let root_key = root_key?
        .try_into()
        .map_err(|_| "ROOT_KEY has 64 hex digits")?;
    Ok(ServerConfig {
        url: url.into(),
        root_key,
        ..ServerConfig::default()
    })
}
