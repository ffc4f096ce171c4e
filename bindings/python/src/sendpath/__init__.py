"""Send WhatsApp messages, and learn why one is refused.

``sendpath`` is for asyncio; :mod:`sendpath.sync` has the same names for everything else.
"""

from ._native.sendpath_uniffi import version as _version
from .engine import Accepted, Account, AccountStatus, Engine
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
    IdentityChanged,
    LoggedOut,
    MayRetry,
    Message,
    Other,
    Overflow,
    PairFailed,
    PairQr,
    Paired,
    Receipt,
    SendEnded,
    SilentDrop,
    TimelockChanged,
    TokenStored,
)

__version__: str = _version()

__all__ = [
    "Accepted",
    "Account",
    "AccountStatus",
    "Bug",
    "CappingChanged",
    "Cause",
    "Closed",
    "Connected",
    "Disconnected",
    "Engine",
    "Event",
    "Forked",
    "IdentityChanged",
    "LoggedOut",
    "MayRetry",
    "Message",
    "Misuse",
    "Next",
    "Other",
    "OutcomeUnknown",
    "Overflow",
    "PairFailed",
    "PairQr",
    "Paired",
    "Receipt",
    "Refused",
    "RuntimeFailure",
    "SendEnded",
    "SendError",
    "SendpathError",
    "SilentDrop",
    "Status",
    "StoreFailure",
    "TimelockChanged",
    "TokenStored",
]
