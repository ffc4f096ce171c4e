//! What a host tells a guest. Each call is one commit: it is durable when it returns `SP_STATUS_OK`,
//! and was not told otherwise.

use sendpath_protocol::secret::SecretBytes;
use sendpath_protocol::time::UnixSeconds;

use super::bytes::Slice;
use super::error::ErrorObject;
use super::guest::{GuestHandle, unknown};
use super::raw;
use super::{GUESTS, guard_on};
use crate::facade::{Error, Guest, MessageKind, Row, Status};

/// What a message is, as far as tokens are concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum MessageNumber {
    /// Text, media, reaction, edit, poll vote.
    Content = 0,
    /// A protocol message, revokes included.
    Protocol = 1,
    /// To our own devices (`category="peer"`).
    Peer = 2,
}

pub(super) fn kind(number: i32) -> Result<MessageKind, Error> {
    match number {
        n if n == MessageNumber::Content as i32 => Ok(MessageKind::Content),
        n if n == MessageNumber::Protocol as i32 => Ok(MessageKind::Protocol),
        n if n == MessageNumber::Peer as i32 => Ok(MessageKind::Peer),
        n => Err(unknown("kind", n)),
    }
}

/// An AB prop.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Prop {
    /// Its code.
    pub code: u32,
    /// Zero.
    pub reserved: u32,
    /// Its value.
    pub value: Slice,
}

/// A token that a contact gave us, with the time stamp of its notification in Unix seconds.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_token_received(
    guest: GuestHandle,
    from: Slice,
    token: Slice,
    t: i64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        guest.token_received(from.text("from")?, token.bytes("token")?, t)
    })
}

/// App state set the salt of cstokens; an empty one means that it was removed.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_salt_changed(
    guest: GuestHandle,
    salt: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let salt = salt.bytes("salt")?;
        guest.salt_changed((!salt.is_empty()).then_some(salt))
    })
}

/// App state set (`removed` 0) or removed the entry with this index: the index is JSON, the value the
/// `SyncActionValue` as protobuf, both decrypted; a removal needs no value. Only the entry that tells
/// the salt counts.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_app_state(
    guest: GuestHandle,
    index: Slice,
    removed: i32,
    value: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let value = value.bytes("value")?;
        guest.app_state(index.bytes("index")?, (removed == 0).then_some(value))
    })
}

/// Asks for the account's limits: the questions are in `sp_guest_outgoing`, a change is an event, and
/// the answer is then in `sp_guest_limits_json`. Does nothing while the connection is down.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_refresh_limits(
    guest: GuestHandle,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, Guest::refresh_limits)
}

/// History sync told the salt; it counts only while app state never spoke of it.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_salt_from_history(
    guest: GuestHandle,
    salt: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        guest.salt_from_history(salt.bytes("salt")?)
    })
}

/// A history sync: the blob as downloaded (compressed) or inflated. One that cannot be read changes
/// nothing.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_history(
    guest: GuestHandle,
    blob: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        guest.history(blob.bytes("blob")?.to_vec())
    })
}

/// What is known about the link of the account, for the diagnosis of refusals: when it was paired, in
/// Unix seconds, 0 when that is not known; whether the phone has sent all of its history, and whether
/// 1:1 chats are addressed by LID: 1 yes, 0 no, -1 not known.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_background(
    guest: GuestHandle,
    linked_at: i64,
    history_complete: i32,
    lid_migrated: i32,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let flag = |name, number| match number {
            -1 => Ok(None),
            0 | 1 => Ok(Some(number == 1)),
            n => Err(unknown(name, n)),
        };
        let complete = flag("history_complete", history_complete)?;
        let migrated = flag("lid_migrated", lid_migrated)?;
        guest.background((linked_at != 0).then_some(linked_at), complete, migrated)
    })
}

/// Deletes everything that is stored for the account: tokens, names, limits, timelines.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_forget_account(
    guest: GuestHandle,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, Guest::forget_account)
}

/// Two addresses of one account, by phone number and by LID, in either order.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_mapping_learned(
    guest: GuestHandle,
    one: Slice,
    other: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        guest.mapping_learned(one.text("one")?, other.text("other")?)
    })
}

/// The keys of a contact's device are new.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_identity_changed(
    guest: GuestHandle,
    jid: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        guest.identity_changed(jid.text("jid")?)
    })
}

/// AB props, for hosts that fetch them by themselves.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_props(
    guest: GuestHandle,
    props: *const Prop,
    count: usize,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let props = raw::array(props, count, "props")?.iter();
        let value = |prop: &Prop| Ok((prop.code, prop.value.text("props.value")?.to_owned()));
        guest.props(&props.map(value).collect::<Result<Vec<_>, Error>>()?)
    })
}

/// A message was handed to the connection; `kind` is an `sp_message_kind`. Its answer is told with
/// `sp_guest_ack`.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_handed(
    guest: GuestHandle,
    id: Slice,
    to: Slice,
    kind: i32,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        guest.handed(id.text("id")?, to.text("to")?, self::kind(kind)?)
    })
}

/// The server answered a message: `code` is the error in its ack, 0 for a yes. What a refusal meant
/// comes as an OUTCOME event. A message that was never handed over, or was answered before, changes
/// nothing.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_ack(
    guest: GuestHandle,
    id: Slice,
    code: i32,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let code = u16::try_from(code).map_err(|_| unknown("code", code))?;
        guest.ack(id.text("id")?, (code != 0).then_some(code))
    })
}

/// Messages of ours arrived at a device of their recipient.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_receipt(
    guest: GuestHandle,
    ids: *const Slice,
    count: usize,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let ids = raw::array(ids, count, "ids")?.iter();
        guest.receipt(
            &ids.map(|id| id.text("ids"))
                .collect::<Result<Vec<_>, Error>>()?,
        )
    })
}

/// A contact wrote to us.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_wrote(
    guest: GuestHandle,
    jid: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        guest.wrote(jid.text("jid")?)
    })
}

/// The host's connection is up and logged in.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_connected(guest: GuestHandle, err: *mut *mut ErrorObject) -> Status {
    guard_on(&GUESTS, guest.handle, err, Guest::connected)
}

/// The host's connection is gone; open work is lost with it.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_disconnected(guest: GuestHandle, err: *mut *mut ErrorObject) -> Status {
    guard_on(&GUESTS, guest.handle, err, Guest::disconnected)
}

/// The server begins (not 0) or has ended (0) to deliver what it kept while the host was away.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_backlog(
    guest: GuestHandle,
    open: i32,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| guest.backlog(open != 0))
}

/// The server's time in Unix seconds, from any stanza that has it.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_server_time(
    guest: GuestHandle,
    t: i64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| guest.server_time(t))
}

/// Any stanza that arrived, decrypted, as it came out of the Noise layer (flag byte first). What does
/// not concern tokens and limits changes nothing; `SP_STATUS_BAD_BYTES` when it does not decode.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_observe_stanza(
    guest: GuestHandle,
    stanza: Slice,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        guest.observe_stanza(stanza.bytes("stanza")?)
    })
}

/// The host's library writes a row of its store; a time of 0 is none. A row that was read from here
/// tells only when the library issued our token.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_row_put(
    guest: GuestHandle,
    peer: Slice,
    token: Slice,
    t: i64,
    sender_t: i64,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&GUESTS, guest.handle, err, |guest| {
        let time = |t: i64| (t != 0).then_some(UnixSeconds(t));
        let row = Row {
            token: SecretBytes::new(token.bytes("token")?.to_vec()),
            t: time(t),
            sender_t: time(sender_t),
        };
        guest.row_put(peer.text("peer")?, row)
    })
}

/// The host gives up: no work any more, refusals that wait for an answer end as undetermined. Facts
/// are still taken in.
#[unsafe(no_mangle)]
pub extern "C" fn sp_guest_stop(guest: GuestHandle, err: *mut *mut ErrorObject) -> Status {
    guard_on(&GUESTS, guest.handle, err, Guest::stop)
}
