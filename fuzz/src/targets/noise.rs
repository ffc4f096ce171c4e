//! The link: socket bytes before, in and after the handshake, and the server's certificates.

use std::cell::RefCell;

use sendpath_model_server::noise::{Handshaken, Responder};
use sendpath_model_server::{Authority, CertFault};
use sendpath_protocol::crypto::curve::KeyPair;
use sendpath_protocol::noise::{Link, LinkConfig, LinkError, LinkOutput};

use crate::bench::{NOW, Steady, parts, split};

/// A server with keys of its own, and what a client must know of it.
#[derive(Clone)]
pub(crate) struct Known {
    authority: Authority,
    pub(crate) chain: Vec<u8>,
    config: LinkConfig,
    ephemeral: KeyPair,
}

impl Known {
    fn new() -> Self {
        let mut rng = Steady::new(9);
        let authority = Authority::generate(&mut rng);
        Self {
            chain: authority.chain(&mut rng, NOW.unix(), CertFault::None),
            config: LinkConfig {
                root_key: authority.root_key(),
                clock_tolerance: 60,
                static_key: KeyPair::generate(&mut rng),
                payload: b"payload".to_vec(),
                routing: None,
            },
            ephemeral: KeyPair::generate(&mut rng),
            authority,
        }
    }

    pub(crate) fn get() -> Self {
        thread_local!(static KNOWN: RefCell<Option<Known>> = const { RefCell::new(None) });
        KNOWN.with_borrow_mut(|known| known.get_or_insert_with(Self::new).clone())
    }

    fn link(&self) -> (Link, Vec<u8>) {
        Link::new(self.config.clone(), &mut Steady::new(1))
    }

    /// A link, the other side, and its hello with `certificates` inside.
    pub(crate) fn hello(&self, certificates: &[u8]) -> (Link, Responder, Vec<u8>) {
        let (link, first) = self.link();
        let hello = &first[4 + 3..];
        let (other, answer) = Responder::hello(
            hello,
            self.ephemeral.clone(),
            self.authority.static_key(),
            certificates,
        )
        .expect("our hello is one");
        (link, other, answer)
    }

    fn linked(&self) -> (Link, Handshaken) {
        let (mut link, other, hello) = self.hello(&self.chain);
        let outputs = link.receive(NOW.unix(), &framed(&hello));
        match &outputs.expect("a good hello")[..] {
            [LinkOutput::Write(finish), LinkOutput::Established] => {
                let done = other.finish(&finish[3..]);
                (link, done.expect("our finish is one"))
            }
            other => panic!("unexpected {other:?}"),
        }
    }
}

/// With three bytes of length in front.
pub(crate) fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame");
    [&length.to_be_bytes()[1..], payload].concat()
}

/// Bytes on the socket: from the beginning, as the server's hello, or behind the handshake, there also
/// as stanzas that the server really sealed.
pub(crate) fn run(data: &[u8]) {
    let Some((kind, data)) = split(data) else {
        return;
    };
    let known = Known::get();
    let piece = usize::from(kind >> 2) + 1;
    match kind & 3 {
        0 => drop(hear(&mut known.link().0, data, piece)),
        1 => drop(hear(&mut known.link().0, &framed(data), piece)),
        2 => drop(hear(&mut known.linked().0, data, piece)),
        _ => sealed(&known, data, piece),
    }
}

/// What the server says under the right key arrives as it was said, cut anywhere.
fn sealed(known: &Known, data: &[u8], piece: usize) {
    let (mut link, mut server) = known.linked();
    let mut wire = Vec::new();
    let said: Vec<_> = parts(data).take(8).collect();
    for plain in &said {
        let frame = server.outgoing.seal(plain, &[]).expect("a short stanza");
        wire.extend(framed(&frame));
    }
    let heard = hear(&mut link, &wire, piece).expect("the server sealed them");
    let heard: Vec<_> = heard
        .into_iter()
        .map(|output| match output {
            LinkOutput::Stanza(bytes) => bytes,
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    assert!(heard == said, "something else arrives");
    let ours = link.seal(data).ok();
    if let Some(ours) = ours {
        let opened = server.incoming.open(&ours[3..], &[]);
        assert!(opened.as_deref() == Ok(data), "something else leaves");
    }
}

/// Everything that comes out, or the first error; after one the link does no more.
fn hear(link: &mut Link, bytes: &[u8], piece: usize) -> Result<Vec<LinkOutput>, LinkError> {
    let mut outputs = Vec::new();
    for piece in bytes.chunks(piece) {
        match link.receive(NOW.unix(), piece) {
            Ok(more) => outputs.extend(more),
            Err(error) => {
                assert!(!matches!(error, LinkError::Bug(_)), "{error}");
                assert!(!link.is_established());
                assert!(link.receive(NOW.unix(), &[0]) == Err(LinkError::Dead));
                return Err(error);
            }
        }
    }
    Ok(outputs)
}

/// The certificates within a good hello. Only the root can have signed those that are trusted.
pub(crate) fn certificate(data: &[u8]) {
    let known = Known::get();
    let (mut link, _, hello) = known.hello(data);
    let mut frame = framed(&hello);
    if frame.len() > 65_535 {
        frame.truncate(65_535);
    }
    if hear(&mut link, &frame, usize::MAX).is_ok_and(|outputs| !outputs.is_empty()) {
        assert!(link.is_established());
        let signed = known.chain.len();
        assert!(data.len() >= signed / 2, "too little for two signatures");
    }
}
