//! The engine: sends in turn from every account until its input ends, and tells what happens.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sendpath_engine::{
    Account, AccountConfig, AccountEvent, Engine, EngineConfig, SendOptions, StoreSpec,
};
use sendpath_protocol::config::ServerConfig;
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::Outcome;

use crate::faults::contact;

/// How long each account is listened to in its turn.
const TURN: Duration = Duration::from_millis(4);

/// Turns between two sends of an account.
const TURNS: u64 = 4;

pub(crate) fn run(args: &[String]) {
    let [url, root_key, store, accounts] = args else {
        panic!("four arguments");
    };
    let root_key = hex::decode(root_key).expect("hex");
    let engine = Engine::open(EngineConfig::new(StoreSpec::Uri(store.clone())));
    let engine = engine.expect("an engine");
    let count: u64 = accounts.parse().expect("a number");
    let open = |number: u64| {
        let mut config = AccountConfig::default();
        config.server = ServerConfig {
            url: url.clone(),
            root_key: root_key.clone().try_into().expect("32 bytes"),
            ..ServerConfig::default()
        };
        let account = engine.account(&format!("a{number}"), config);
        let account = account.expect("a free name");
        account.connect().expect("an open account");
        account
    };
    let accounts: Vec<Account> = (0..count).map(open).collect();
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    std::thread::spawn(move || {
        // It says nothing: it ends.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        end.store(true, Ordering::Relaxed);
    });
    let mut online = vec![false; accounts.len()];
    for turn in 0.. {
        for ((number, account), online) in (0..).zip(&accounts).zip(&mut online) {
            listen(number, account, online);
            let all = !ended.load(Ordering::Relaxed) && *online;
            if all && (turn + number) % TURNS == 0 {
                send(account, number + turn);
            }
        }
    }
}

fn send(account: &Account, serial: u64) {
    let (to, _) = contact(serial);
    let sending = account.send_text(&to, "soak", SendOptions::default());
    let reported = account.report(sending.expect("an open account"));
    if let Err(ended) = reported {
        tell(&ended.wait_blocking(None).expect("it has ended"));
    }
    println!("sent");
}

fn listen(number: u64, account: &Account, online: &mut bool) {
    let mut wait = TURN;
    while let Some(told) = account.next_event(Some(wait)).expect("an open account") {
        wait = Duration::ZERO;
        match told {
            AccountEvent::Done { outcome, .. } | AccountEvent::Event(Event::Settled(outcome)) => {
                tell(&outcome);
            }
            AccountEvent::Event(Event::PairQr { text, .. }) => println!("qr {number} {text}"),
            AccountEvent::Event(Event::Connected) => {
                println!("online {number}");
                *online = true;
            }
            AccountEvent::Event(Event::Message(message)) => println!("got {}", message.id),
            AccountEvent::Overflow { dropped } => println!("overflow {dropped}"),
            _ => {}
        }
    }
}

fn tell(outcome: &Outcome) {
    match outcome {
        Outcome::Accepted { id, .. } => println!("accepted {id}"),
        Outcome::Refused(refusal) => match &refusal.id {
            Some(id) => println!("refused {id}"),
            None => println!("refused -"),
        },
        Outcome::Unknown(lost) => println!("unknown {}", lost.id),
        other => panic!("unexpected {other:?}"),
    }
}
