"""Send WhatsApp messages, and learn why one is refused.

``sendpath`` is for asyncio; :mod:`sendpath.sync` has the same names for everything else.
"""

from ._native.sendpath_uniffi import version as _version
from .engine import Accepted, Account, Engine
from .errors import (
    Bug,
    Cause,
    Closed,
    Forked,
    Misuse,
    Next,
    OutcomeUnknown,
    Refused,
    RuntimeFailure,
    SendError,
    SendpathError,
    Status,
    StoreFailure,
)
from .events import (
    CappingChanged,
    Connected,
    Disconnected,
    Event,
    HistoryApplied,
    IdentityChanged,
    LoggedOut,
    MayRetry,
    Message,
    Other,
    Overflow,
    PairFailed,
    PairQr,
    Paired,
    Presence,
    Receipt,
    SendEnded,
    SilentDrop,
    TimelockChanged,
    TokenStored,
)
from .guest import Guest, GuestStore, ManualClock
from .plan import Attach, MessageKind, Plan, Row, WorkItem, WorkKind, WorkResult
from .questions import CanSend, Explanation, MaySend, Recipient
from .settings import AccountOptions, Documents
from .status import AccountStatus, GuestStatus, TokenCounters

__version__: str = _version()

__all__ = [
    "Accepted",
    "Account",
    "AccountOptions",
    "AccountStatus",
    "Attach",
    "Bug",
    "CanSend",
    "CappingChanged",
    "Cause",
    "Closed",
    "Connected",
    "Disconnected",
    "Documents",
    "Engine",
    "Event",
    "Explanation",
    "Forked",
    "Guest",
    "GuestStatus",
    "GuestStore",
    "HistoryApplied",
    "IdentityChanged",
    "LoggedOut",
    "ManualClock",
    "MayRetry",
    "MaySend",
    "Message",
    "MessageKind",
    "Misuse",
    "Next",
    "Other",
    "OutcomeUnknown",
    "Overflow",
    "PairFailed",
    "PairQr",
    "Paired",
    "Plan",
    "Presence",
    "Receipt",
    "Recipient",
    "Refused",
    "Row",
    "RuntimeFailure",
    "SendEnded",
    "SendError",
    "SendpathError",
    "SilentDrop",
    "Status",
    "StoreFailure",
    "TimelockChanged",
    "TokenCounters",
    "TokenStored",
    "WorkItem",
    "WorkKind",
    "WorkResult",
]
