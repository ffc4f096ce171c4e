"""What an account or a guest tells. Programs must let kinds pass that they do not know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from . import errors
from ._native import sendpath_uniffi as native


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""


@dataclass(frozen=True, slots=True)
class Connected(Event):
    """Logged in; sending works."""


@dataclass(frozen=True, slots=True)
class End(Event):
    """Why a connection or a link ended."""

    #: A stable word, such as ``network``, ``replaced`` or ``banned``.
    reason: str
    #: The server's code.
    code: int | None = None
    #: The server's detail of a ban.
    detail: int | None = None
    #: When a temporary ban ends.
    until: datetime | None = None
    #: For people.
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Disconnected(End):
    """The connection ended."""


@dataclass(frozen=True, slots=True)
class LoggedOut(End):
    """The link to the account is gone."""


@dataclass(frozen=True, slots=True)
class IdentityChanged(Event):
    """A contact's device was registered anew."""

    peer: str


@dataclass(frozen=True, slots=True)
class MayRetry(Event):
    """The refusal of these messages may be over."""

    peer: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message(Event):
    """A message arrived and is durable."""

    id: str
    chat: str
    sender: str
    #: Sent by another device of this account.
    from_me: bool
    time: datetime | None
    push_name: str | None = field(repr=False)
    #: The text, when it is a text message.
    text: str | None = field(repr=False)
    #: The ``Message`` protobuf as it was sent.
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Other(Event):
    """A kind that this package has no class for."""

    kind: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SendEnded(Event):
    """A send ended that nobody waited for any more."""

    #: The operation; 0 for a message that an earlier run of the program had sent, and for those of
    #: a guest.
    op: int
    id: str | None
    time: datetime | None
    attached: str | None
    #: Why it did not end well; ``None`` when it was accepted.
    error: errors.SendpathError | None


@dataclass(frozen=True, slots=True)
class Overflow(Event):
    """The program was too slow: this many events are missing here."""

    dropped: int


@dataclass(frozen=True, slots=True)
class PairCode(Event):
    """Let the user type the code into the phone; it replaces the one before."""

    code: str = field(repr=False)
    #: For how long the phone takes it.
    seconds: int


@dataclass(frozen=True, slots=True)
class PairFailed(Event):
    """Pairing ended without a link."""

    reason: str
    #: The server's code.
    code: int | None


@dataclass(frozen=True, slots=True)
class PairQr(Event):
    """Show the text as a QR code; it replaces the one before."""

    text: str = field(repr=False)
    #: For how long.
    seconds: int


@dataclass(frozen=True, slots=True)
class Paired(Event):
    """The phone accepted the link."""

    jid: str
    lid: str | None


@dataclass(frozen=True, slots=True)
class Receipt(Event):
    """Another device got or read our message."""

    ids: tuple[str, ...]
    sender: str
    #: ``delivered``, ``read``, ``played`` or ``other``.
    what: str
    time: datetime | None


@dataclass(frozen=True, slots=True)
class CappingChanged(Event):
    """The account's quota of new chats changed."""

    #: The server's word: ``NONE``, ``FIRST_WARNING``, ``SECOND_WARNING`` or ``CAPPED``.
    what: str
    #: New chats in a cycle; -1 for no limit.
    total: int | None
    used: int | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class SilentDrop(Event):
    """The server took these messages while the account is locked, and nobody has confirmed them."""

    peer: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimelockChanged(Event):
    """Whether the account may start new chats changed."""

    active: bool
    until: datetime | None
    what: str | None


@dataclass(frozen=True, slots=True)
class TokenStored(Event):
    """A contact's token was stored."""

    peer: str
    time: datetime | None
    #: False when the same token was already there.
    fresh: bool


@dataclass(frozen=True, slots=True)
class Presence(Event):
    """A contact that is followed came or went."""

    peer: str
    #: It is there now.
    available: bool
    #: When it was there last, if it lets us know.
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class HistoryApplied(Event):
    """A part of the phone's history was taken over."""

    #: Chats with people and businesses.
    conversations: int
    #: Tokens that were new, or newer than the stored ones.
    tokens: int
    #: Times of our own issues that were later than the stored ones.
    sender_times: int
    #: Pairs of phone number and LID, known ones included.
    mappings: int
    #: The salt of cstokens was taken over.
    salt: bool


@dataclass(frozen=True, slots=True)
class HistoryFailed(Event):
    """A part of the phone's history could not be had or read."""

    #: ``content``, ``fetch`` or ``other``.
    reason: str
    #: For people.
    message: str


async def next_of(queue: native.Account | native.Guest) -> Event | None:
    """The next event; ``None`` after the last one. A cancelled call takes no event with it."""
    try:
        with errors.translated():
            while True:
                event = queue.take_event()
                if event is not None:
                    return of(event)
                await queue.event_ready()
    except errors.Closed:
        return None


def of(event: object) -> Event:
    """The event that the library tells."""
    kind = native.Event
    match event:
        case kind.CONNECTED():
            return Connected()
        case kind.DISCONNECTED():
            return Disconnected(*_end(event.end))
        case kind.LOGGED_OUT():
            return LoggedOut(*_end(event.end))
        case kind.MESSAGE():
            return _message(event.incoming)
        case kind.OUTCOME():
            return _ended(event)
        case kind.PAIR_QR():
            return PairQr(event.text, event.seconds)
        case kind.PAIRED():
            return Paired(event.jid, event.lid)
        case kind.PAIR_FAILED():
            return PairFailed(event.reason, event.code)
        case kind.PAIR_CODE():
            return PairCode(event.code, event.seconds)
        case kind.RECEIPT():
            time = errors.instant(event.time)
            return Receipt(tuple(event.ids), event.sender, event.what, time)
        case kind.CAPPING_CHANGED():
            until = errors.instant(event.until)
            return CappingChanged(event.what, event.total, event.used, until)
        case kind.SILENT_DROP():
            return SilentDrop(event.peer, tuple(event.ids))
        case kind.TIMELOCK_CHANGED():
            return TimelockChanged(event.active, errors.instant(event.until), event.what)
        case kind.TOKEN_STORED():
            return TokenStored(event.peer, errors.instant(event.time), event.fresh)
        case kind.MAY_RETRY():
            return MayRetry(event.peer, tuple(event.ids))
        case kind.IDENTITY_CHANGED():
            return IdentityChanged(event.peer)
        case kind.PRESENCE():
            return Presence(event.peer, event.available, errors.instant(event.last_seen))
        case kind.HISTORY_APPLIED():
            return HistoryApplied(
                event.conversations,
                event.tokens,
                event.sender_times,
                event.mappings,
                event.salt,
            )
        case kind.HISTORY_FAILED():
            return HistoryFailed(event.reason, event.message)
        case kind.OVERFLOW():
            return Overflow(event.dropped)
        case kind.OTHER():
            return Other(event.kind, json.loads(event.json))
        case unknown:
            return Other(type(unknown).__name__.lower(), vars(unknown))


def _end(end: native.End) -> tuple[str, int | None, int | None, datetime | None, str | None]:
    return end.reason, end.code, end.detail, errors.instant(end.until), end.message


def _message(incoming: native.Incoming) -> Message:
    return Message(
        id=incoming.id,
        chat=incoming.chat,
        sender=incoming.sender,
        from_me=incoming.from_me,
        time=errors.instant(incoming.time),
        push_name=incoming.push_name,
        text=incoming.text,
        payload=incoming.payload,
    )


def _ended(event: native.Event.OUTCOME) -> SendEnded:
    return SendEnded(
        op=event.op,
        id=event.id,
        time=errors.instant(event.time),
        attached=event.attached,
        error=None if event.error is None else errors.from_details(event.error),
    )
