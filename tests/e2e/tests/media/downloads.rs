//! Files of received messages, and files of ours sent on.

use std::io::Read;

use sendpath_e2e::{ALICE, World};
use sendpath_engine::{EngineError, SendOptions};
use sendpath_model_server::{Command, FileFault, Gate};
use sendpath_protocol::content::Draft;
use sendpath_protocol::content::draft::{Body, Document};
use sendpath_protocol::event::Event;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::media::decrypt::Damage;
use sendpath_protocol::media::fetch::{FetchError, Fetched};
use sendpath_protocol::media::{Attachment, MediaKind};
use sendpath_protocol::session::Content;
use sendpath_protocol::verdict::Outcome;

use crate::{faults, requests, upload};

/// More than any file in here.
const MOST: u64 = 64 << 20;

fn with_alice() -> World {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world
}

/// Alice sends a picture of that many bytes; what our side is told of it.
fn picture(world: &World, bytes: u32, fault: Option<FileFault>) -> Attachment {
    world.order(Command::PeerPicture {
        peer: ALICE.0.into(),
        bytes,
        fault,
    });
    let payload = world.event(|event| match event {
        Event::Message(message) => Some(message.payload.clone()),
        _ => None,
    });
    Attachment::of(&payload).unwrap()
}

fn download(world: &World, file: &Attachment, most: u64) -> Result<Fetched, EngineError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(world.account.download(file, most))
}

fn failure(world: &World, file: &Attachment, most: u64) -> FetchError {
    match download(world, file, most).unwrap_err() {
        EngineError::Download(error) => error,
        other => panic!("not a download: {other}"),
    }
}

#[test]
fn a_received_picture_of_any_size_is_downloaded() {
    let world = with_alice();
    for bytes in [0, 1000, 3 << 20] {
        let file = picture(&world, bytes, None);
        assert_eq!(
            (file.kind, &*file.mimetype),
            (MediaKind::Image, "image/png")
        );
        assert_eq!(file.blob.length, u64::from(bytes));
        let fetched = download(&world, &file, MOST).unwrap();
        assert_eq!(fetched.length(), u64::from(bytes));
        let mut plain = Vec::new();
        fetched.open().read_to_end(&mut plain).unwrap();
        let expected: Vec<u8> = (0..=255).cycle().take(bytes as usize).collect();
        assert!(plain == expected, "{bytes} bytes");
    }
    // One question tells the hosts for all of them.
    assert_eq!(world.asked("w:m/media_conn"), 1);
    world.no_violations();
}

#[test]
fn nothing_of_a_file_that_is_not_the_announced_one_is_given_out() {
    let world = with_alice();
    for (fault, cause, asked) in [
        (FileFault::Changed, FetchError::Damaged(Damage::FileHash), 2),
        (FileFault::Forged, FetchError::Damaged(Damage::Mac), 1),
        (FileFault::Truncated, FetchError::Damaged(Damage::Length), 2),
        (FileFault::Lost, FetchError::Gone(404), 1),
    ] {
        let before = requests(&world).len();
        let file = picture(&world, 5000, Some(fault));
        assert_eq!(failure(&world, &file, MOST), cause);
        assert_eq!(requests(&world).len() - before, asked, "{fault:?}");
    }
    world.no_violations();
}

#[test]
fn a_file_larger_than_the_host_takes_is_given_up_at_once() {
    let world = with_alice();
    let file = picture(&world, 100_000, None);
    let damage = Damage::TooLong { most: 99_999 };
    assert_eq!(failure(&world, &file, 99_999), FetchError::Damaged(damage));
    assert_eq!(requests(&world).len(), 1);
}

#[test]
fn a_busy_server_is_asked_again_and_one_that_has_it_no_more_is_not() {
    let world = with_alice();
    let file = picture(&world, 1000, None);
    faults(&world, &[503, 429], None, false);
    assert_eq!(download(&world, &file, MOST).unwrap().length(), 1000);
    assert_eq!(requests(&world).len(), 3);
    for status in [403, 404, 410] {
        faults(&world, &[status], None, false);
        assert_eq!(failure(&world, &file, MOST), FetchError::Gone(status));
    }
    assert_eq!(requests(&world).len(), 6);
}

#[test]
fn without_a_connection_nobody_tells_the_hosts() {
    let world = with_alice();
    let file = picture(&world, 1000, None);
    world.account.disconnect().unwrap();
    world.event(|event| matches!(event, Event::Disconnected { .. }).then_some(()));
    assert_eq!(failure(&world, &file, MOST), FetchError::NotConnected);
}

#[test]
fn an_upload_becomes_a_message_that_can_be_downloaded_again() {
    let world = with_alice();
    let uploaded = upload(&world, MediaKind::Document, vec![9; 70_000]).unwrap();
    let file = Attachment {
        kind: MediaKind::Document,
        blob: uploaded.into(),
        mimetype: "text/plain".into(),
    };
    let document = Body::Document(Document {
        blob: file.blob.clone(),
        mimetype: file.mimetype.clone(),
        file_name: "nines.txt".into(),
        caption: "nines".into(),
        pages: None,
        thumbnail: None,
    });
    let content = Content::Draft(Box::new(Draft::from(document)));
    let to = Jid::recipient(ALICE.0).unwrap();
    let sending = world.account.send(to, content, SendOptions::default());
    let outcome = sendpath_e2e::outcome(&sending.unwrap());
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    let mut plain = Vec::new();
    let fetched = download(&world, &file, MOST).unwrap();
    fetched.open().read_to_end(&mut plain).unwrap();
    assert_eq!(plain, vec![9; 70_000]);
    world.no_violations();
}
