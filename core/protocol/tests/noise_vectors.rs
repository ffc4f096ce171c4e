//! The link against a captured handshake of the real server, continued by an independent program.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use prost::Message;
use sendpath_protocol::config::WHATSAPP_ROOT_KEY;
use sendpath_protocol::crypto::curve::{KeyPair, PrivateKey};
use sendpath_protocol::crypto::symmetric::aes256_gcm_seal;
use sendpath_protocol::noise::{
    CertError, Certificate, Link, LinkConfig, LinkError, LinkOutput, MAX_FRAME,
};
use sendpath_protocol::pb::{HandshakeMessage, ServerHello};
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::time::UnixSeconds;

/// When the captured leaf was valid.
const CLOCK: UnixSeconds = UnixSeconds(1_750_000_000);

const FINISH_STATIC: &str = "2d0944b22ff0c4d9a9083d1d69f6254e573cb654be5dc7f749892148df64cf09\
                             a979c5fd6a9e14c3981b1c7b557f1fcd";
const FINISH_PAYLOAD: &str = "e9fe7a4518f5c66a643691d866fa10f9c0391d30607f8a";
const READ_KEY: &str = "87909dabca5bb09e94fb9edadc14ffdbb2725b3572889b6ecfbc75e4f3269bf4";

struct Ephemeral;

impl Entropy for Ephemeral {
    fn fill(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&captured("client_eph_priv"));
    }
}

fn captured(field: &str) -> Vec<u8> {
    let file: serde_json::Value = serde_json::from_str(include_str!("vectors/noise.json")).unwrap();
    hex::decode(file["cases"][0][field].as_str().unwrap()).unwrap()
}

fn config() -> LinkConfig {
    LinkConfig {
        root_key: WHATSAPP_ROOT_KEY,
        clock_tolerance: 24 * 3600,
        static_key: KeyPair::from_private(PrivateKey::from_bytes(core::array::from_fn(|i| {
            u8::try_from(i + 1).unwrap()
        }))),
        payload: b"payload".to_vec(),
        routing: None,
    }
}

fn start(config: LinkConfig) -> Link {
    Link::new(config, &mut Ephemeral).0
}

fn established() -> Link {
    let mut link = start(config());
    link.receive(CLOCK, &server_hello()).unwrap();
    link
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], payload].concat()
}

/// The captured hello as the server framed it.
fn server_hello() -> Vec<u8> {
    let message = HandshakeMessage {
        server_hello: Some(ServerHello {
            ephemeral: Some(captured("server_eph_pub")),
            r#static: Some(captured("ciphertext_for_decrypt_1")),
            payload: Some(captured("ciphertext_for_decrypt_2")),
            ..Default::default()
        }),
        ..Default::default()
    };
    framed(&message.encode_to_vec())
}

/// What the server of the capture would send as its frame number `counter`.
fn server_frame(counter: u32, plain: &[u8]) -> Vec<u8> {
    let key = hex::decode(READ_KEY).unwrap().try_into().unwrap();
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&counter.to_be_bytes());
    framed(&aes256_gcm_seal(&key, &nonce, &[], plain))
}

#[test]
fn the_stream_opens_with_the_header_and_our_ephemeral_key() {
    let (_, first) = Link::new(config(), &mut Ephemeral);
    let expected = [
        &b"WA\x06\x03\0\0\x24\x12\x22\x0a\x20"[..],
        &captured("client_eph_pub"),
    ];
    assert_eq!(first, expected.concat());
}

#[test]
fn routing_information_goes_in_front_and_changes_nothing_else() {
    let (_, plain) = Link::new(config(), &mut Ephemeral);
    let first = |routing: Vec<u8>| {
        let config = LinkConfig {
            routing: Some(routing),
            ..config()
        };
        Link::new(config, &mut Ephemeral).1
    };
    let routed = [&b"ED\0\x01\0\0\x03abc"[..], &plain].concat();
    assert_eq!(first(b"abc".to_vec()), routed);
    assert_eq!(first(Vec::new()), plain);
    assert_eq!(first(vec![0; MAX_FRAME + 1]), plain);
}

#[test]
fn the_captured_server_is_trusted_and_answered_byte_for_byte() {
    let mut link = start(config());
    let outputs = link.receive(CLOCK, &server_hello()).unwrap();
    let [LinkOutput::Write(finish), LinkOutput::Established] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    let message = HandshakeMessage::decode(&finish[3..]).unwrap();
    let finish = message.client_finish.unwrap();
    assert_eq!(hex::encode(finish.r#static.unwrap()), FINISH_STATIC);
    assert_eq!(hex::encode(finish.payload.unwrap()), FINISH_PAYLOAD);
    assert!(link.is_established());
    let sealed = link.seal(&hex::decode("00f8021ff800").unwrap()).unwrap();
    let expected = "00001611e6a3c6fe107efcd5d84ade0f254ced1bd2e4fa8524";
    assert_eq!(hex::encode(sealed), expected);
}

#[test]
fn the_stream_may_be_cut_anywhere() {
    let frames = [
        server_frame(0, b"\0first"),
        framed(&[]),
        server_frame(1, b"\0second"),
    ];
    let stream = [server_hello(), frames.concat()].concat();
    let whole = start(config()).receive(CLOCK, &stream).unwrap();
    assert_eq!(
        whole[2..],
        [
            LinkOutput::Stanza(b"\0first".to_vec()),
            LinkOutput::Stanza(b"\0second".to_vec())
        ]
    );
    for at in 0..=stream.len() {
        let mut link = start(config());
        let mut outputs = link.receive(CLOCK, &stream[..at]).unwrap();
        outputs.extend(link.receive(CLOCK, &stream[at..]).unwrap());
        assert_eq!(outputs, whole);
    }
}

#[test]
fn frames_beyond_64_kib_go_both_ways() {
    let stanza = vec![7; 300_000];
    let mut link = established();
    let outputs = link.receive(CLOCK, &server_frame(0, &stanza)).unwrap();
    assert_eq!(outputs, [LinkOutput::Stanza(stanza.clone())]);
    let sealed = link.seal(&stanza).unwrap();
    assert_eq!(sealed.len(), 3 + stanza.len() + 16);
    assert_eq!(sealed[..3], [0x04, 0x93, 0xf0]);
}

#[test]
fn an_empty_plaintext_arrives_as_an_empty_stanza() {
    let outputs = established().receive(CLOCK, &server_frame(0, &[])).unwrap();
    assert_eq!(outputs, [LinkOutput::Stanza(Vec::new())]);
}

/// Every later call must fail whatever it is given.
fn assert_dead(mut link: Link) {
    assert!(!link.is_established());
    assert_eq!(link.receive(CLOCK, &[]), Err(LinkError::Dead));
    assert_eq!(link.receive(CLOCK, &server_hello()), Err(LinkError::Dead));
    assert_eq!(link.seal(b"\0"), Err(LinkError::Dead));
}

#[test]
fn a_repeated_lost_or_changed_frame_kills_the_link() {
    let mut changed = server_frame(0, b"\0first");
    changed[5] ^= 1;
    let repeated = [server_frame(0, b"\0a"), server_frame(0, b"\0a")].concat();
    for bytes in [
        changed,
        repeated,
        server_frame(1, b"\0second"),
        framed(&[1; 15]),
    ] {
        let mut link = established();
        assert_eq!(link.receive(CLOCK, &bytes), Err(LinkError::Decrypt));
        assert_dead(link);
    }
}

#[test]
fn what_cannot_be_sealed_kills_the_link() {
    let mut link = established();
    assert_eq!(link.seal(&[]), Err(LinkError::Empty));
    assert_dead(link);
    let mut link = established();
    let len = MAX_FRAME - 15;
    let result = link.seal(&vec![0; len]);
    assert_eq!(result, Err(LinkError::FrameTooLarge { len }));
    assert_dead(link);
    let mut link = start(config());
    assert_eq!(link.seal(b"\0"), Err(LinkError::NotEstablished));
    assert_dead(link);
}

#[test]
fn a_handshake_message_may_not_announce_more_than_noise_allows() {
    let mut link = start(config());
    let result = link.receive(CLOCK, &[1, 0, 0]);
    assert_eq!(result, Err(LinkError::FrameTooLarge { len: 65_536 }));
    assert_dead(link);
}

#[test]
fn another_root_an_expired_leaf_and_an_early_clock_are_told_apart() {
    let mut link = start(LinkConfig {
        root_key: [9; 32],
        ..config()
    });
    let forged = CertError::BadSignature(Certificate::Intermediate);
    let result = link.receive(CLOCK, &server_hello());
    assert_eq!(result, Err(LinkError::Certificate(forged)));
    assert_dead(link);

    let end = UnixSeconds(1_753_736_400);
    let at = |now| start(config()).receive(now, &server_hello());
    assert!(at(end.plus(24 * 3600)).is_ok());
    let late = end.plus(24 * 3600 + 1);
    let expired = CertError::Expired {
        which: Certificate::Leaf,
        not_after: end,
        now: late,
    };
    assert_eq!(at(late), Err(LinkError::Certificate(expired)));

    let early = CertError::NotYetValid {
        which: Certificate::Intermediate,
        not_before: UnixSeconds(1_741_392_000),
        now: UnixSeconds(0),
    };
    assert_eq!(at(UnixSeconds(0)), Err(LinkError::Certificate(early)));
}

#[test]
fn every_changed_byte_of_the_hello_is_refused() {
    let hello = server_hello();
    for at in 0..hello.len() {
        let mut changed = hello.clone();
        changed[at] ^= 1;
        let mut link = start(config());
        let established = link.receive(CLOCK, &changed).is_ok() && link.is_established();
        assert!(!established, "byte {at}");
    }
}

#[test]
fn debug_shows_no_stanza_and_no_key() {
    let link = established();
    let shown = format!("{link:?} {:?}", LinkOutput::Stanza(b"\0secret".to_vec()));
    assert_eq!(shown, "Link(established) Stanza(7 bytes)");
    let shown = format!("{:?}", config());
    let expected = "LinkConfig { clock_tolerance: 86400, payload: 7, routing: None, .. }";
    assert_eq!(shown, expected);
}
