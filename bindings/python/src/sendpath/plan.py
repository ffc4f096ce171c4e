"""What a guest answers, and what it asks its host to send. Times are Unix seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from . import errors
from ._native import sendpath_uniffi as native


class MessageKind(StrEnum):
    """What a message is, as far as tokens are concerned."""

    #: Text, media, reaction, edit, poll vote.
    CONTENT = "content"
    #: To our own devices (``category="peer"``).
    PEER = "peer"
    #: A protocol message, revokes included: it carries a token and causes no issue.
    PROTOCOL = "protocol"


class Attach(StrEnum):
    """Which element a message carries to open the chat; the word is its tag."""

    NOTHING = "nothing"
    #: The contact's token.
    TCTOKEN = "tctoken"
    #: The account's own proof.
    CSTOKEN = "cstoken"


class WorkKind(StrEnum):
    """What work is for."""

    #: Send the IQ as it is.
    OTHER = "other"
    #: Ask for the AB props.
    PROPS = "props"
    #: Issue our token to a contact: ``peer`` and ``time``.
    ISSUE = "issue"
    #: A GraphQL query: ``query_id`` and ``variables``.
    MEX = "mex"


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision for one message."""

    attach: Attach
    #: The content of the element; empty for :attr:`Attach.NOTHING`.
    content: bytes = field(repr=False)
    #: The time stamp of the contact's token.
    token_time: int | None
    #: The server has not said yet how old a token may be, and this one may be too old. Worth a
    #: short wait for the props.
    ambiguous: bool
    #: Why no tctoken: ``expired``, ``gate_off``, ``never_received``, ``not_eligible`` or
    #: ``store_error``.
    no_tctoken: str | None
    #: Why not even a cstoken: ``gate_off``, ``no_lid``, ``no_salt``, ``not_eligible`` or
    #: ``store_error``.
    no_cstoken: str | None
    #: Why the message must not leave; ``None`` when it may.
    refusal: errors.SendpathError | None


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the store of the host's library sees it."""

    #: The token, or a placeholder when none may be attached but something is known.
    token: bytes = field(repr=False)
    #: The time the library compares with its own window; ``None`` for "not valid any more".
    time: int | None
    #: When our token was issued to the contact last.
    sender_time: int | None


@dataclass(frozen=True, slots=True)
class WorkItem:
    """An IQ to send: as it is, or built anew from the parts."""

    #: The number to report it under; never used again.
    id: int
    kind: WorkKind
    #: For :attr:`WorkKind.ISSUE`: the address in the IQ.
    peer: str | None
    #: For :attr:`WorkKind.ISSUE`: the time stamp in the IQ.
    time: int | None
    #: For :attr:`WorkKind.MEX`: the document id.
    query_id: str | None
    #: For :attr:`WorkKind.MEX`: the variables, as JSON text.
    variables: str | None
    #: The ``id`` in the IQ.
    iq_id: str
    #: The whole IQ, encoded as it goes into the Noise layer (flag byte first).
    iq: bytes = field(repr=False)


class WorkResult:
    """How work ended."""

    def __init__(self, inner: native.WorkResult) -> None:
        self._native = inner

    @staticmethod
    def ok() -> WorkResult:
        """The server took it; the answer says nothing more. Enough for :attr:`WorkKind.ISSUE`."""
        return WorkResult(_ends.TAKEN())

    @staticmethod
    def json(text: str) -> WorkResult:
        """The JSON text in the answer to a :attr:`WorkKind.MEX` query."""
        return WorkResult(_ends.JSON(text=text))

    @staticmethod
    def error(code: int) -> WorkResult:
        """The server answered with an error."""
        return WorkResult(_ends.FAILED(code=code))

    @staticmethod
    def lost() -> WorkResult:
        """It could not be sent, or nothing came back in time."""
        return WorkResult(_ends.LOST())

    @staticmethod
    def stanza(stanza: bytes) -> WorkResult:
        """The whole answer as it came out of the Noise layer (flag byte first)."""
        return WorkResult(_ends.STANZA(bytes=stanza))


def plan_of(told: native.Plan) -> Plan:
    """The decision that the library tells."""
    return Plan(
        attach=Attach(told.attach),
        content=told.bytes,
        token_time=told.token_time,
        ambiguous=told.ambiguous,
        no_tctoken=told.no_tctoken,
        no_cstoken=told.no_cstoken,
        refusal=None if told.refusal is None else errors.from_details(told.refusal),
    )


def work_of(told: native.WorkItem) -> WorkItem:
    """The work that the library asks for."""
    return WorkItem(
        id=told.id,
        kind=WorkKind(told.kind),
        peer=told.peer,
        time=told.time,
        query_id=told.query_id,
        variables=told.variables,
        iq_id=told.iq_id,
        iq=told.iq,
    )


# The generated variants are no subclasses in the eyes of a type checker.
_ends: Any = native.WorkResult
