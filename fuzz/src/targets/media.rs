//! Files of media servers, their names, and what the servers answer.

use sendpath_protocol::media::MediaKind;
use sendpath_protocol::media::conn::{MediaConn, Scheme};
use sendpath_protocol::media::decrypt::{Damage, Decryptor, Expected};
use sendpath_protocol::media::download::{Failure, Reference};
use sendpath_protocol::media::encrypt::{Encryptor, Sealed};
use sendpath_protocol::media::retry;
use sendpath_protocol::media::ticket::Ticket;
use sendpath_protocol::media::upload::{Next, Upload};
use sendpath_protocol::secret::Secret;
use sendpath_protocol::wap::{self, Node};

use crate::bench::{NOW, split};

const MOST: u64 = 1 << 20;

/// Requests of one upload or download.
const MOST_ASKED: u32 = 64;

fn key() -> Secret<32> {
    Secret::new([7; 32])
}

pub(crate) fn run(data: &[u8]) {
    let Some((kind, rest)) = split(data) else {
        return;
    };
    let piece = usize::from(kind >> 3) + 1;
    match kind & 7 {
        0 => foreign(rest, piece),
        1 => ours(rest, piece),
        2 => hosts(rest),
        3 => uploads(rest),
        4 => names(rest),
        _ => told(rest),
    }
}

/// Any bytes under the hash that was announced: whether they are a file does not depend on how they
/// are cut, and nobody without the key has made one.
fn foreign(file: &[u8], piece: usize) {
    let sealed = sealed_of(b"");
    for file_enc_sha256 in [[1; 32], sealed.1.file_enc_sha256] {
        let whole = opened(file, file.len().max(1), file_enc_sha256, None);
        assert!(
            opened(file, piece, file_enc_sha256, None) == whole,
            "the cut matters"
        );
        if let Ok(plain) = whole {
            assert!(
                plain.is_empty() && file == sealed.0,
                "nobody made that file"
            );
        }
    }
}

/// What we seal opens as it was, and not with one byte changed.
fn ours(plain: &[u8], piece: usize) {
    let (mut file, sealed) = sealed_of(plain);
    let hash = sealed.file_enc_sha256;
    let again = opened(&file, piece, hash, Some(sealed.file_sha256));
    assert!(again.as_deref() == Ok(plain), "another file comes out");
    let at = piece % file.len();
    file[at] ^= 1;
    assert!(opened(&file, piece, hash, None) == Err(Damage::FileHash));
}

fn sealed_of(plain: &[u8]) -> (Vec<u8>, Sealed) {
    let mut file = Vec::new();
    let mut encryptor = Encryptor::new(&key(), MediaKind::Image);
    encryptor.push(plain, &mut file);
    let sealed = encryptor.finish(&mut file);
    (file, sealed)
}

fn opened(
    file: &[u8],
    piece: usize,
    file_enc_sha256: [u8; 32],
    file_sha256: Option<[u8; 32]>,
) -> Result<Vec<u8>, Damage> {
    let expected = Expected {
        file_enc_sha256,
        file_sha256,
        most: MOST,
    };
    let mut decryptor = Decryptor::new(&key(), MediaKind::Image, expected);
    let mut out = Vec::new();
    for piece in file.chunks(piece) {
        decryptor.push(piece, &mut out)?;
    }
    decryptor.finish(&mut out)?;
    assert!(out.len() <= file.len(), "more comes out than went in");
    Ok(out)
}

/// `<media_conn>`: no host changes what a URL means.
fn hosts(frame: &[u8]) {
    let Ok(node) = wap::decode(frame) else {
        return;
    };
    let Some(conn) = MediaConn::parse(&node, NOW.mono) else {
        return;
    };
    for host in conn.downloads().chain(conn.uploads()) {
        let odd = |c: char| !c.is_ascii_alphanumeric() && !".-:".contains(c);
        assert!(!host.contains(odd), "{host}");
    }
    let reference = Reference::new(MediaKind::Image, "/v/a", &[1; 32], &[2; 32], None);
    let reference = reference.expect("a good path");
    let download = reference.download(&Ticket::of(&conn, Scheme::Https), MOST);
    let mut tries = download.tries();
    for _ in 0..MOST_ASKED {
        if let Some(url) = tries.url() {
            assert!(url.starts_with("https://") && !url.contains(' '), "{url}");
        }
        if tries.failed(Failure::Network("gone".into())).is_err() {
            return;
        }
    }
    panic!("it never ends");
}

/// Answers to an upload: two bytes of status, then the body; all the same one.
fn uploads(data: &[u8]) {
    let Some((status, body)) = data.split_first_chunk::<2>() else {
        return;
    };
    let host = Node::new("host").attr("hostname", "mmg.example.net");
    let conn = Node::new("media_conn").attr("auth", "a b&c").child(host);
    let conn = MediaConn::parse(&Node::new("iq").child(conn), NOW.mono).expect("a host");
    let ticket = Ticket::of(&conn, Scheme::Https);
    let sealed = Sealed {
        file_length: 6 << 20,
        ..sealed_of(b"x").1
    };
    let mut upload = Upload::new(ticket.clone(), MediaKind::Image, key(), NOW.unix(), sealed);
    let status = u16::from_be_bytes(*status);
    for _ in 0..MOST_ASKED {
        let ask = upload.ask().expect("there is a host");
        assert!(ask.from.is_none_or(|from| from <= 7 << 20), "past its end");
        match upload.answered(status, Some(1), body) {
            Next::Ask(_) => {}
            Next::Renew => upload.renew(ticket.clone()),
            Next::Done(done) => {
                assert!(done.direct_path.starts_with('/'), "{}", done.direct_path);
                return;
            }
            _ => return,
        }
    }
    panic!("it never ends");
}

/// Paths of messages.
fn names(data: &[u8]) {
    let path = String::from_utf8_lossy(data);
    let Some(reference) = Reference::new(MediaKind::History, &path, &[1; 32], &[2; 32], None)
    else {
        return;
    };
    let host = Node::new("host").attr("hostname", "mmg.example.net");
    let conn = Node::new("iq").child(Node::new("media_conn").child(host));
    let conn = MediaConn::parse(&conn, NOW.mono).expect("a host");
    let download = reference.download(&Ticket::of(&conn, Scheme::Https), MOST);
    let url = download.tries().url().expect("a host").to_owned();
    let authority = "https://mmg.example.net/";
    assert!(url.starts_with(authority) && !url.contains(['#', ' ', '\r', '\n']));
    assert!(url.contains("mms-type="));
}

/// What the phone answers about a lost file.
fn told(frame: &[u8]) {
    if let Ok(node) = wap::decode(frame) {
        let _ = (retry::subject(&node), retry::answer(&node, &key()));
    }
}
