"""Why a call or a send failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import cast

from ._native import sendpath_uniffi as native

#: What the generated code raises. It declares the name twice, so type checkers have to be told.
NativeError = cast("type[Exception]", native.NativeError)


class Status(IntEnum):
    """The stable numbers; the same in every language. A number is never used for something else."""

    OK = 0
    NULL_POINTER = 1
    INVALID_ARGUMENT = 2
    INVALID_UTF8 = 3
    BAD_HANDLE = 4
    PANIC = 5
    POISONED = 6
    WOULD_DEADLOCK = 7
    FORKED = 8
    CLOSED = 9
    TIMEOUT = 10
    STRUCT_SIZE = 11
    RUNTIME = 12
    ALREADY_OPEN = 13
    BAD_ADDRESS = 20
    BAD_CONTENT = 21
    BAD_MESSAGE_ID = 22
    BAD_ACCOUNT_NAME = 23
    BAD_BYTES = 24
    BAD_CODE = 25
    BAD_NUMBER = 26
    BUG = 99
    STORE_BUSY = 100
    STORE_CORRUPT = 101
    STORE_HOST = 102
    STORE_FENCED = 103
    STORE_FULL = 104
    STORE_IO = 105
    STORE_READ_ONLY = 106
    STORE_SCHEMA = 107
    STORE_VERSION = 108
    STORE_OTHER = 199
    OUTCOME_UNKNOWN = 200
    MEDIA_NOT_CONNECTED = 300
    MEDIA_UNREACHABLE = 301
    MEDIA_REFUSED = 302
    MEDIA_GONE = 303
    MEDIA_DAMAGED = 304
    MEDIA_FILE = 305
    ACCOUNT_TIMELOCKED = 401
    TIMELOCKED_TOKEN_REFUSED = 402
    COLD_REFUSED = 403
    COLD_REFUSED_WITH_CSTOKEN = 404
    TOKEN_MISSING_WARM = 405
    TOKEN_REFUSED = 406
    TOKEN_ARRIVED_LATE = 407
    LOCAL_TOKEN_LOST = 408
    UNDETERMINED_463 = 409
    NEW_CHAT_CAPPED = 410
    STANZA_INVALID = 411
    ADDRESSING = 412
    NOT_ALLOWED = 413
    RECIPIENT_NOT_FOUND = 414
    SERVER_BUSY = 415
    SERVER_REFUSED = 416
    NOT_ON_WHATSAPP = 417
    NO_LID = 418
    NO_RECIPIENT_DEVICE = 419
    NOT_PAIRED = 420
    LOGGED_OUT = 421
    DUPLICATE_ID = 422
    OUTBOX_FULL = 423
    BAD_REQUEST = 424
    DEADLINE_BEFORE_SEND = 425
    CANCELLED = 426
    CIRCUIT_OPEN = 427
    SILENT_DROP_SUSPECTED = 428

class Cause(StrEnum):
    """Why a send was refused."""

    ACCOUNT_TIMELOCKED = "ACCOUNT_TIMELOCKED"
    TIMELOCKED_TOKEN_REFUSED = "TIMELOCKED_TOKEN_REFUSED"
    COLD_REFUSED = "COLD_REFUSED"
    COLD_REFUSED_WITH_CSTOKEN = "COLD_REFUSED_WITH_CSTOKEN"
    TOKEN_MISSING_WARM = "TOKEN_MISSING_WARM"
    TOKEN_REFUSED = "TOKEN_REFUSED"
    TOKEN_ARRIVED_LATE = "TOKEN_ARRIVED_LATE"
    LOCAL_TOKEN_LOST = "LOCAL_TOKEN_LOST"
    UNDETERMINED_463 = "UNDETERMINED_463"
    NEW_CHAT_CAPPED = "NEW_CHAT_CAPPED"
    STANZA_INVALID = "STANZA_INVALID"
    ADDRESSING = "ADDRESSING"
    NOT_ALLOWED = "NOT_ALLOWED"
    RECIPIENT_NOT_FOUND = "RECIPIENT_NOT_FOUND"
    SERVER_BUSY = "SERVER_BUSY"
    SERVER_REFUSED = "SERVER_REFUSED"
    NOT_ON_WHATSAPP = "NOT_ON_WHATSAPP"
    NO_LID = "NO_LID"
    NO_RECIPIENT_DEVICE = "NO_RECIPIENT_DEVICE"
    NOT_PAIRED = "NOT_PAIRED"
    LOGGED_OUT = "LOGGED_OUT"
    DUPLICATE_ID = "DUPLICATE_ID"
    OUTBOX_FULL = "OUTBOX_FULL"
    BAD_REQUEST = "BAD_REQUEST"
    DEADLINE_BEFORE_SEND = "DEADLINE_BEFORE_SEND"
    CANCELLED = "CANCELLED"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    SILENT_DROP_SUSPECTED = "SILENT_DROP_SUSPECTED"

class Next(StrEnum):
    """What to do after a refusal."""

    ASK_CONTACT_TO_WRITE = "ask_contact_to_write"
    DO_NOT_RETRY = "do_not_retry"
    FIX_INPUT = "fix_input"
    RETRY_AFTER = "retry_after"
    WAIT_UNTIL = "wait_until"


class SendpathError(Exception):
    """Anything that this package raises by itself."""

    def __init__(self, message: str, status: Status) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Bug(SendpathError):
    """A bug in sendpath; please report it."""


class Misuse(SendpathError, ValueError):
    """A call with something that cannot be used; nothing was done."""


class Closed(SendpathError):
    """The engine or account is closed."""


class Forked(SendpathError):
    """The process was forked after the engine was opened; open one in the child."""


class RuntimeFailure(SendpathError):
    """The operating system refused a thread, a socket or memory."""


class StoreFailure(SendpathError):
    """The store could not be read or written."""


class MediaFailure(SendpathError):
    """A file could not be brought up or down."""

    def __init__(self, details: native.ErrorDetails) -> None:
        super().__init__(details.message, Status(details.status))
        #: The last HTTP status; ``None`` when no server said anything.
        self.code: int | None = details.code
        #: Whether another try can help.
        self.may_retry: bool = bool(details.may_retry)


class SendError(SendpathError):
    """A send did not end well."""

    def __init__(self, details: native.ErrorDetails) -> None:
        super().__init__(details.message, Status(details.status))
        #: Id of the message; ``None`` when it was refused before it had one.
        self.id: str | None = details.message_id


class Refused(SendError):
    """The message was refused, here or by the server; it is not sent again by itself."""

    def __init__(self, details: native.ErrorDetails) -> None:
        super().__init__(details)
        #: Why.
        self.cause = Cause(details.cause or "")
        #: What to do.
        self.next = Next(details.next or "")
        #: When the cause ends, if anybody knows.
        self.until: datetime | None = instant(details.until)
        #: For how long to wait before trying once more, when that is what to do.
        self.retry_after: timedelta | None = (
            None
            if details.retry_after_ms is None
            else timedelta(milliseconds=details.retry_after_ms)
        )
        #: Whether the same message can succeed later at all.
        self.may_retry: bool = bool(details.may_retry)
        #: The server's code, such as 463; ``None`` when nothing was sent.
        self.code: int | None = details.code
        #: For people: what it means and what to do.
        self.advice: str = details.advice or ""
        #: What the message carried to open the chat, or why nothing.
        self.attached: str | None = details.attached


class OutcomeUnknown(SendError):
    """The answer was lost: nobody knows whether the message arrived."""

    def __init__(self, details: native.ErrorDetails) -> None:
        super().__init__(details)
        #: The same bytes are sent again after a reconnect.
        self.still_trying: bool = bool(details.still_trying)


def instant(seconds: int | None) -> datetime | None:
    """Unix seconds as an instant; ``None`` also for what no ``datetime`` can say."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def from_details(details: native.ErrorDetails) -> SendpathError:
    """The exception for what the library tells."""
    status = Status(details.status)
    if details.cause is not None:
        return Refused(details)
    if status is Status.OUTCOME_UNKNOWN:
        return OutcomeUnknown(details)
    if 300 <= status < 400:
        return MediaFailure(details)
    return _KINDS.get(status, _by_hundreds(status))(details.message, status)


@contextmanager
def translated() -> Iterator[None]:
    """Exceptions of the generated code become ours."""
    try:
        yield
    except NativeError as error:
        details: native.ErrorDetails = getattr(error, "details")
        raise from_details(details) from None
    except native.InternalError as error:
        raise Bug(f"a call panicked: {error}", Status.PANIC) from error


_KINDS: dict[Status, type[SendpathError]] = {
    Status.PANIC: Bug,
    Status.POISONED: Bug,
    Status.BUG: Bug,
    Status.CLOSED: Closed,
    Status.FORKED: Forked,
    Status.RUNTIME: RuntimeFailure,
    Status.TIMEOUT: RuntimeFailure,
    Status.WOULD_DEADLOCK: RuntimeFailure,
}


def _by_hundreds(status: Status) -> type[SendpathError]:
    return StoreFailure if 100 <= status < 200 else Misuse
