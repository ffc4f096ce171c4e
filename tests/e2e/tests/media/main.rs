//! Blobs over HTTP: the phone's history by reference, uploads, and proxies on every path.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod downloads;
mod proxies;

use proxies::TestProxy;
use sendpath_e2e::World;
use sendpath_engine::{EngineError, Proxy};
use sendpath_model_server::{Command, Condition, FileFault, Reply};
use sendpath_protocol::event::{DisconnectReason, Event, HistoryFailure};
use sendpath_protocol::media::MediaKind;
use sendpath_protocol::media::decrypt::{Damage, Decryptor, Expected};
use sendpath_protocol::media::fetch::FetchError;
use sendpath_protocol::media::upload::{UploadError, Uploaded};
use sendpath_protocol::session::Blobs;

fn uploads(strangers: u32, fault: Option<FileFault>, repairs: bool) -> Command {
    Command::PhoneUploads {
        account: None,
        strangers,
        salt: Some("0102".into()),
        progress: 100,
        fault,
        repairs,
    }
}

fn applied(world: &World) -> (u64, u64, u64, bool) {
    world.event(|event| match event {
        Event::HistoryApplied {
            conversations,
            tokens,
            mappings,
            salt,
            ..
        } => Some((*conversations, *tokens, *mappings, *salt)),
        Event::HistoryFailed { reason } => panic!("{reason}"),
        _ => None,
    })
}

fn receipts(world: &World, kind: &str) -> usize {
    match world.order(Command::Receipts) {
        Reply::Receipts { receipts } => {
            let of_kind = receipts.iter().filter(|r| r.kind.as_deref() == Some(kind));
            of_kind.count()
        }
        other => panic!("unexpected reply {other:?}"),
    }
}

fn receipted(world: &World, kind: &str) {
    world.wait_for(Condition::Receipts {
        kind: Some(kind.into()),
        count: 1,
    });
}

fn requests(world: &World) -> Vec<String> {
    match world.order(Command::MediaRequests) {
        Reply::Texts { texts } => texts,
        other => panic!("unexpected reply {other:?}"),
    }
}

fn blobs(world: &World) -> Blobs {
    world.account.status().unwrap().session.unwrap().blobs
}

fn faults(world: &World, statuses: &[u16], cut_after: Option<usize>, renew: bool) {
    world.order(Command::MediaFaults {
        statuses: statuses.to_vec(),
        cut_after,
        renew,
    });
}

#[test]
fn a_history_of_ten_thousand_chats_is_fetched_and_then_receipted() {
    let world = World::linked();
    world.order(uploads(10_000, None, false));
    assert_eq!(applied(&world), (10_000, 10_000, 10_000, true));
    receipted(&world, "hist_sync");
    assert_eq!(requests(&world), ["GET md-msg-hist"]);
    assert_eq!(
        blobs(&world),
        Blobs {
            fetched: 1,
            failed: 0
        }
    );
    // The server has the receipt, so it is not said again.
    world.reconnect(|| {});
    world.wait_for(Condition::Answered { account: None });
    assert_eq!(receipts(&world, "hist_sync"), 1);
    world.no_violations();
}

#[test]
fn a_part_that_cannot_be_had_ends_with_its_cause_and_a_receipt() {
    for (fault, cause, asked) in [
        (FileFault::Changed, FetchError::Damaged(Damage::FileHash), 2),
        (FileFault::Forged, FetchError::Damaged(Damage::Mac), 1),
        (FileFault::Truncated, FetchError::Damaged(Damage::Length), 2),
        (FileFault::Lost, FetchError::Gone(404), 1),
    ] {
        let world = World::linked();
        world.order(uploads(5, Some(fault), false));
        let reason = world.event(|event| match event {
            Event::HistoryFailed { reason } => Some(reason.clone()),
            Event::HistoryApplied { .. } => panic!("{fault:?} was believed"),
            _ => None,
        });
        assert_eq!(reason, HistoryFailure::Fetch(cause));
        receipted(&world, "hist_sync");
        assert_eq!(receipts(&world, "server-error"), 1, "the phone was asked");
        assert_eq!(requests(&world).len(), asked, "{fault:?}");
        assert_eq!(
            blobs(&world),
            Blobs {
                fetched: 0,
                failed: 1
            }
        );
        world.no_violations();
    }
}

#[test]
fn the_phone_uploads_again_what_the_servers_lost() {
    for fault in [FileFault::Lost, FileFault::Changed] {
        let world = World::linked();
        world.order(uploads(7, Some(fault), true));
        assert_eq!(applied(&world), (7, 7, 7, true));
        receipted(&world, "hist_sync");
        assert_eq!(receipts(&world, "server-error"), 1);
        world.no_violations();
    }
}

#[test]
fn a_part_that_was_not_fetched_before_a_restart_is_fetched_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::linked_on(&sendpath_e2e::store_in(folder.path()));
    // The second try is a second away, the third three.
    faults(&world, &[503, 503], None, false);
    world.order(uploads(9, None, false));
    world.wait_for(Condition::Answered { account: None });
    assert_eq!(receipts(&world, "hist_sync"), 0);
    world.restart();
    assert_eq!(applied(&world), (9, 9, 9, true));
    receipted(&world, "hist_sync");
    world.no_violations();
}

#[test]
fn every_connection_goes_through_the_proxy() {
    for proxy in [TestProxy::connect(), TestProxy::socks5()] {
        let world = World::linked_through(proxy.url("p%40ss").parse::<Proxy>().unwrap());
        world.order(uploads(3, None, false));
        assert_eq!(applied(&world), (3, 3, 3, true));
        let uploaded = upload(&world, MediaKind::Image, b"picture".to_vec()).unwrap();
        assert_eq!(content(&world, &uploaded), b"picture");
        let host = world.server.http().replace("http://", "");
        let targets = proxy.targets();
        assert!(targets.iter().all(|target| *target == host));
        // Pairing, login, download, upload.
        assert_eq!(targets.len(), 4);
        world.no_violations();
    }
}

#[test]
fn a_proxy_that_refuses_us_is_not_passed_by() {
    for proxy in [TestProxy::connect(), TestProxy::socks5()] {
        let world = World::linked();
        let (url, key) = (world.server.url(), world.server.root_key());
        let wrong = proxy.url("wrong").parse::<Proxy>().unwrap();
        let engine = sendpath_e2e::open_engine("memory:");
        let account = sendpath_e2e::open_account_with(&engine, &url, key, Some(wrong));
        account.connect().unwrap();
        let event = account.next_event(None).unwrap().unwrap();
        let expected = "the proxy wants another login".to_owned();
        let reason = DisconnectReason::Network(expected);
        let expected = sendpath_engine::AccountEvent::Event(Event::Disconnected { reason });
        assert_eq!(event, expected);
        assert_eq!(proxy.targets(), [""; 0]);
    }
}

#[test]
fn what_is_uploaded_can_be_opened_with_what_comes_back() {
    let world = World::linked();
    let uploaded = upload(&world, MediaKind::Voice, vec![7; 100_000]).unwrap();
    assert_eq!(content(&world, &uploaded), vec![7; 100_000]);
    assert_eq!(uploaded.sealed.file_length, 100_000);
    assert_eq!(uploaded.sealed.sidecar.as_ref().map(Vec::len), Some(20));
    assert!(uploaded.handle.is_some());
    assert_eq!(requests(&world), ["POST audio 100026"]);
    assert_eq!(world.asked("w:m/media_conn"), 1);
    world.no_violations();
}

#[test]
fn a_large_upload_goes_on_where_it_broke_off() {
    let world = World::linked();
    let plain: Vec<u8> = (0..=255).cycle().take(6 << 20).collect();
    faults(&world, &[], Some(4 << 20), false);
    let uploaded = upload(&world, MediaKind::Document, plain.clone()).unwrap();
    assert!(content(&world, &uploaded) == plain);
    let whole = (6 << 20) + 26;
    let expected = [
        "PROBE document 0".to_owned(),
        format!("POST document {}", 4 << 20),
        "PROBE document 0".to_owned(),
        format!("POST document {}", whole - (4 << 20)),
    ];
    assert_eq!(requests(&world), expected);
    world.no_violations();
}

#[test]
fn a_stale_ticket_is_renewed_and_a_busy_server_asked_again() {
    let world = World::linked();
    upload(&world, MediaKind::Image, vec![1]).unwrap();
    faults(&world, &[], None, true);
    upload(&world, MediaKind::Image, vec![2]).unwrap();
    assert_eq!(world.asked("w:m/media_conn"), 2);
    faults(&world, &[503], None, false);
    upload(&world, MediaKind::Image, vec![3]).unwrap();
    assert_eq!(requests(&world).len(), 5);
    faults(&world, &[400], None, false);
    let refused = upload(&world, MediaKind::Image, vec![4]);
    let expected = EngineError::Upload(UploadError::Refused(400));
    assert_eq!(refused.unwrap_err(), expected);
    world.no_violations();
}

#[test]
fn without_a_connection_an_upload_ends_at_once() {
    let world = World::linked();
    world.account.disconnect().unwrap();
    world.event(|event| matches!(event, Event::Disconnected { .. }).then_some(()));
    let refused = upload(&world, MediaKind::Image, vec![4]);
    let expected = EngineError::Upload(UploadError::NotConnected);
    assert_eq!(refused.unwrap_err(), expected);
}

fn upload(world: &World, kind: MediaKind, plain: Vec<u8>) -> Result<Uploaded, EngineError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let upload = world.account.upload(kind, std::io::Cursor::new(plain));
    runtime.block_on(upload)
}

/// What a recipient makes of an upload.
fn content(world: &World, uploaded: &Uploaded) -> Vec<u8> {
    let path = uploaded.direct_path.clone();
    let file = match world.order(Command::MediaFile { path }) {
        Reply::Texts { texts } => texts[0].clone(),
        other => panic!("unexpected reply {other:?}"),
    };
    let digit = |at: usize| u8::from_str_radix(&file[at..at + 2], 16).unwrap();
    let file: Vec<u8> = (0..file.len()).step_by(2).map(digit).collect();
    let expected = Expected {
        file_enc_sha256: uploaded.sealed.file_enc_sha256,
        file_sha256: Some(uploaded.sealed.file_sha256),
        most: uploaded.sealed.enc_length,
    };
    let mut decryptor = Decryptor::new(&uploaded.media_key, uploaded.kind, expected);
    let mut plain = Vec::new();
    decryptor.push(&file, &mut plain).unwrap();
    decryptor.finish(&mut plain).unwrap();
    plain
}
