"""Where an account or a guest stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from . import errors
from ._native import sendpath_uniffi as native


@dataclass(frozen=True, slots=True)
class TokenCounters:
    """What the token machine left aside, by reason."""

    #: Tokens without a usable time stamp.
    bad_time: int = 0
    #: Tokens without bytes.
    empty: int = 0
    #: Tokens that are too long or too many.
    too_much: int = 0
    #: Tokens of another type.
    unknown_type: int = 0
    #: Tokens without a contact they could belong to.
    not_a_contact: int = 0
    #: Tokens older than the stored one.
    older: int = 0
    #: Tokens and issues stamped in the far future, taken as now.
    from_the_future: int = 0
    #: Damaged rows treated as absent.
    damaged_rows: int = 0
    #: Writes left out because a newer version wrote the row.
    newer_rows: int = 0
    #: Reads that failed while a message was sent.
    failed_reads: int = 0
    #: Results of IQs that are not ours, or came twice.
    unknown_results: int = 0


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """Where an account stands. Counts begin when its session is built."""

    #: ``offline``, ``connecting``, ``authenticating``, ``pairing``, ``online`` or ``waiting``.
    phase: str
    #: Our device by phone number, once paired.
    jid: str | None
    #: Our device by LID, if known.
    lid: str | None
    #: The next attempt to connect, while waiting for it.
    retry_at: datetime | None
    #: Messages without an answer.
    outbox: int
    #: Sends that have not left yet.
    queued: int
    #: Stanzas that were ignored because they made no sense.
    ignored: int
    #: What the token machine left aside.
    tokens: TokenCounters
    #: Blobs that were fetched, verified and opened.
    blobs_fetched: int
    #: Blobs that were not to be had.
    blobs_failed: int
    #: Why the session is being rebuilt, if it is.
    fault: errors.SendpathError | None


@dataclass(frozen=True, slots=True)
class GuestStatus:
    """Where a guest stands. Counts begin when it is opened, and anew after a failure of its store."""

    #: The program's connection is up, as far as it told.
    online: bool
    #: Facts that made no sense and changed nothing.
    ignored: int
    #: What the token machine left aside.
    tokens: TokenCounters


def account_status(status: native.AccountStatus) -> AccountStatus:
    """What the generated code tells."""
    return AccountStatus(
        phase=status.phase,
        jid=status.jid,
        lid=status.lid,
        retry_at=errors.instant(status.retry_at),
        outbox=status.outbox,
        queued=status.queued,
        ignored=status.ignored,
        tokens=_counters(status.tokens),
        blobs_fetched=status.blobs_fetched,
        blobs_failed=status.blobs_failed,
        fault=None if status.fault is None else errors.from_details(status.fault),
    )


def guest_status(status: native.GuestStatus) -> GuestStatus:
    """What the generated code tells."""
    return GuestStatus(status.online, status.ignored, _counters(status.tokens))


def _counters(counters: native.TokenCounters) -> TokenCounters:
    return TokenCounters(
        bad_time=counters.bad_time,
        empty=counters.empty,
        too_much=counters.too_much,
        unknown_type=counters.unknown_type,
        not_a_contact=counters.not_a_contact,
        older=counters.older,
        from_the_future=counters.from_the_future,
        damaged_rows=counters.damaged_rows,
        newer_rows=counters.newer_rows,
        failed_reads=counters.failed_reads,
        unknown_results=counters.unknown_results,
    )
