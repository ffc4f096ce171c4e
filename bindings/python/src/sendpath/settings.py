"""How an account or a guest is opened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypedDict

from ._native import sendpath_uniffi as native


@dataclass(frozen=True, slots=True)
class Documents:
    """Ids of the GraphQL documents by which limits are asked for, newest first."""

    #: The quota of new chats.
    capping: tuple[str, ...]
    #: The reachout timelock.
    timelock: tuple[str, ...]


class AccountOptions(TypedDict, total=False):
    """How an account is opened; what is left out or ``None`` has the library's default."""

    #: The server; WhatsApp's own by default.
    server_url: str | None
    #: The key that signs its certificates: 32 bytes.
    server_root_key: bytes | None
    #: How far our clock may be off when its certificate is checked; in whole seconds.
    clock_tolerance: timedelta | None
    #: Shown in the phone's list of linked devices.
    device_name: str | None
    #: The web build we claim to be. Old builds are refused.
    version: tuple[int, int, int] | None
    #: Ids of the GraphQL documents by which limits are asked for.
    documents: Documents | None
    #: Honour the server if it switches tokens on messages off; newest clients do not.
    strict_props: bool
    #: Messages carry a token by which recipients can prove to the server what was sent.
    reporting_tokens: bool
    #: Events that wait for a slow program before they are dropped and counted.
    event_capacity: int | None
    #: Sends without an outcome; more are refused.
    max_pending: int | None


def account_config(options: AccountOptions) -> native.AccountConfig:
    """What the generated code takes."""
    tolerance = options.get("clock_tolerance")
    version = options.get("version")
    return native.AccountConfig(
        server_url=options.get("server_url"),
        server_root_key=options.get("server_root_key"),
        clock_tolerance=None if tolerance is None else tolerance // timedelta(seconds=1),
        device_name=options.get("device_name"),
        version=None if version is None else list(version),
        documents=documents_of(options.get("documents")),
        strict_props=options.get("strict_props", False),
        reporting_tokens=options.get("reporting_tokens", False),
        event_capacity=options.get("event_capacity"),
        max_pending=options.get("max_pending"),
    )


def documents_of(ids: Documents | None) -> native.Documents | None:
    """What the generated code takes."""
    if ids is None:
        return None
    return native.Documents(capping=list(ids.capping), timelock=list(ids.timelock))
