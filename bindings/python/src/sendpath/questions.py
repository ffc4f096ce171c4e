"""What can be asked without sending; the server is not asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from . import errors
from ._native import sendpath_uniffi as native


class Recipient(StrEnum):
    """What the program knows about a recipient that the address does not tell."""

    #: A verified official business.
    ENTERPRISE = "enterprise"
    #: Nothing special.
    ORDINARY = "ordinary"
    #: WhatsApp's own support.
    SUPPORT = "support"


class MaySend(StrEnum):
    """Whether a message may be sent."""

    #: It would be sent.
    ALLOWED = "allowed"
    #: It would be refused here, for now.
    BLOCKED = "blocked"
    #: It would be sent, but the server refused the last one: the contact has to write first.
    CONTACT_MUST_WRITE = "contact_must_write"
    #: Nothing can be sent to that address.
    NOT_RESOLVABLE = "not_resolvable"
    #: Something that this package has no word for.
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class CanSend:
    """The answer about one address."""

    #: The address, as JID.
    to: str
    answer: MaySend
    #: What the message would carry to open the chat, or why nothing, as a stable word.
    attached: str | None
    #: Why not, and until when; only with :attr:`MaySend.BLOCKED`.
    error: errors.SendpathError | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known about a contact, and what happened. ``str()`` is :meth:`text`."""

    _text: str = field(repr=False)
    _revealing: str = field(repr=False)
    #: The data; it names nobody.
    json: dict[str, Any]

    def text(self, *, reveal: bool = False) -> str:
        """For people. It names nobody and may go into a bug report; ``reveal`` adds the contact's
        addresses.
        """
        return self._revealing if reveal else self._text

    def __str__(self) -> str:
        return self._text


def recipient_of(recipient: Recipient) -> native.Recipient:
    """As the library takes it."""
    return native.Recipient[Recipient(recipient).name]


def answers(told: list[native.CanSend]) -> list[CanSend]:
    """What the library answers about addresses."""
    return [
        CanSend(
            to=answer.to,
            answer=MaySend(answer.answer),
            attached=answer.attached,
            error=None if answer.error is None else errors.from_details(answer.error),
        )
        for answer in told
    ]


def explanation(told: native.Explanation) -> Explanation:
    """What the library tells about a contact."""
    return Explanation(told.text, told.revealing, json.loads(told.json))


def limits(told: str) -> dict[str, Any]:
    """What the library tells about limits."""
    parsed: dict[str, Any] = json.loads(told)
    return parsed
