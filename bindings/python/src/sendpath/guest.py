"""The token machine for programs that own their connection.

Facts are told by methods and are stored when these return; after an exception a fact counts as
not told: do not acknowledge the stanza it came from, so that the server brings it again. Every
method is local and quick. Addresses are JIDs or the digits of a phone number, times are Unix
seconds as on the wire.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from . import errors, events, plan, questions
from ._native import sendpath_uniffi as native
from .plan import MessageKind, Plan, Row, WorkItem, WorkResult
from .questions import CanSend, Explanation, Recipient
from .settings import Documents, documents_of
from .status import GuestStatus, guest_status


@dataclass(frozen=True, slots=True)
class ManualClock:
    """An instant of a clock that the program sets, for tests."""

    #: Wall clock, in milliseconds since 1970. It may go back.
    unix_ms: int
    #: Monotonic clock, in milliseconds since any instant. It must not go back.
    mono_ms: int = 0


class GuestStore:
    """An open store that guests of several accounts share. It closes with the last of them."""

    def __init__(self, store: str) -> None:
        """Opens the store at a path; ``memory:`` keeps nothing. Raises :class:`StoreFailure`."""
        with errors.translated():
            self._native = native.GuestStore.open(store)


class GuestBase:
    """What guests have in common; see :class:`sendpath.Guest` and :class:`sendpath.sync.Guest`."""

    def __init__(self, inner: native.Guest) -> None:
        self._native = inner

    @classmethod
    def open(
        cls,
        store: str | GuestStore,
        name: str,
        *,
        own_jid: str | None = None,
        own_lid: str | None = None,
        host_issues: bool = False,
        documents: Documents | None = None,
        strict_props: bool = False,
        event_capacity: int | None = None,
        clock: ManualClock | None = None,
    ) -> Self:
        """Opens the guest that this program calls ``name`` (1 to 64 of ``A-Z a-z 0-9 . _ -``);
        opening the same name again fences the earlier guest off. One of our own addresses must be
        known. ``host_issues``: the program's library issues our token behind its sends by itself.
        ``strict_props``: honour the server if it switches tokens on messages off; newest clients do
        not.

        The connection counts as up until :meth:`disconnected`.

        Raises :class:`Misuse`, :class:`StoreFailure`.
        """
        opened = store if isinstance(store, GuestStore) else GuestStore(store)
        config = native.GuestConfig(
            own_jid=own_jid,
            own_lid=own_lid,
            host_issues=host_issues,
            documents=documents_of(documents),
            strict_props=strict_props,
            event_capacity=event_capacity,
            clock=None if clock is None else _instant(clock),
        )
        with errors.translated():
            return cls(native.Guest.open(opened._native, name, config))

    def token_received(self, peer: str, token: bytes, t: int) -> None:
        """A contact gave us a token; ``t`` is the time stamp in its notification."""
        with errors.translated():
            self._native.token_received(peer, token, t)

    def salt_changed(self, salt: bytes | None) -> None:
        """App state set, or with ``None`` removed, the salt of cstokens."""
        with errors.translated():
            self._native.salt_changed(salt)

    def app_state(self, index: bytes, value: bytes | None) -> None:
        """App state set, or with ``None`` removed, the entry with this index: the index is JSON, the
        value the ``SyncActionValue`` as protobuf, both decrypted. Only the entry that tells the salt
        counts.
        """
        with errors.translated():
            self._native.app_state(index, value)

    def refresh_limits(self) -> None:
        """Asks for the account's limits: the questions are in :meth:`outgoing`, a change is an event,
        and the answer is then in :meth:`limits`. Does nothing while the connection is down.
        """
        with errors.translated():
            self._native.refresh_limits()

    def salt_from_history(self, salt: bytes) -> None:
        """History sync told the salt; it counts only while app state never spoke of it."""
        with errors.translated():
            self._native.salt_from_history(salt)

    def history(self, blob: bytes) -> None:
        """A history sync: the blob as downloaded, or inflated. One that cannot be read changes
        nothing.
        """
        with errors.translated():
            self._native.history(blob)

    def background(
        self,
        *,
        linked_at: int | None = None,
        history_complete: bool | None = None,
        lid_migrated: bool | None = None,
    ) -> None:
        """What is known about the link, for the diagnosis of refusals: when it was made, whether
        the phone has sent all of its history, whether 1:1 chats are addressed by LID.
        """
        with errors.translated():
            self._native.background(linked_at, history_complete, lid_migrated)

    def mapping_learned(self, one: str, other: str) -> None:
        """Two addresses of one account, by phone number and by LID, in either order."""
        with errors.translated():
            self._native.mapping_learned(one, other)

    def identity_changed(self, jid: str) -> None:
        """The keys of a contact's device are new."""
        with errors.translated():
            self._native.identity_changed(jid)

    def props(self, values: Mapping[int, str]) -> None:
        """AB props by code, for programs that fetch them by themselves."""
        with errors.translated():
            props = [native.Prop(code=code, value=value) for code, value in values.items()]
            self._native.props(props)

    def handed(self, id: str, to: str, kind: MessageKind = MessageKind.CONTENT) -> None:
        """A message was handed to the connection; tell its end with :meth:`ack`."""
        with errors.translated():
            self._native.handed(id, to, _kind(kind))

    def ack(self, id: str, code: int | None = None) -> None:
        """The server answered a message; ``code`` is the error in its ack, ``None`` for a yes. What
        a refusal meant comes as a :class:`SendEnded`.
        """
        with errors.translated():
            self._native.ack(id, code)

    def receipt(self, ids: Iterable[str]) -> None:
        """Messages of ours arrived at a device of their recipient."""
        with errors.translated():
            self._native.receipt(list(ids))

    def wrote(self, jid: str) -> None:
        """A contact wrote to us."""
        with errors.translated():
            self._native.wrote(jid)

    def connected(self) -> None:
        """The program's connection is up and logged in."""
        with errors.translated():
            self._native.connected()

    def disconnected(self) -> None:
        """The program's connection is gone; open work is lost with it."""
        with errors.translated():
            self._native.disconnected()

    def backlog(self, open: bool) -> None:
        """The server begins, or has ended, to deliver what it kept while the program was away."""
        with errors.translated():
            self._native.backlog(open)

    def server_time(self, t: int) -> None:
        """The server's time, from any stanza that has it."""
        with errors.translated():
            self._native.server_time(t)

    def observe_stanza(self, stanza: bytes) -> None:
        """Any stanza that arrived, decrypted, as it came out of the Noise layer (flag byte first).
        What does not concern tokens and limits changes nothing.
        """
        with errors.translated():
            self._native.observe_stanza(stanza)

    def row_put(self, peer: str, row: Row) -> None:
        """The program's library writes a row. One that it had read from here tells only when it
        issued our token.
        """
        with errors.translated():
            self._native.row_put(peer, _row(row))

    def row_get(self, peer: str) -> Row | None:
        """The row of a contact as the program's library must see it; ``None`` for no row."""
        with errors.translated():
            row = self._native.row_get(peer)
        return None if row is None else Row(row.token, row.time, row.sender_time)

    def salt_get(self) -> bytes | None:
        """The salt as the program's library must see it; ``None`` when no cstoken may be sent."""
        with errors.translated():
            return self._native.salt_get()

    def forget_account(self) -> None:
        """Deletes everything that is stored for the account: tokens, names, limits, timelines."""
        with errors.translated():
            self._native.forget_account()

    def plan(
        self,
        to: str,
        kind: MessageKind = MessageKind.CONTENT,
        recipient: Recipient = Recipient.ORDINARY,
    ) -> Plan:
        """What a message carries, and whether it may leave. A store that fails costs the token
        only.
        """
        hint = questions.recipient_of(recipient)
        with errors.translated():
            return plan.plan_of(self._native.plan(to, _kind(kind), hint))

    def outgoing(self) -> list[WorkItem]:
        """The work that is not done, oldest first: the same entries until they are reported or lost
        with the connection.
        """
        with errors.translated():
            return [plan.work_of(item) for item in self._native.outgoing()]

    def work_done(self, id: int, result: WorkResult) -> None:
        """Work ended. Numbers that are done already, or never were, change nothing."""
        with errors.translated():
            self._native.work_done(id, result._native)

    def deadline(self) -> timedelta | None:
        """How long from now :meth:`tick` has something to do; ``None`` while nothing is scheduled.
        It changes with every fact.
        """
        with errors.translated():
            wait = self._native.deadline_ms()
        return None if wait is None else timedelta(milliseconds=wait)

    def tick(self) -> None:
        """Does what time brings. Late or early calls do no harm."""
        with errors.translated():
            self._native.tick()

    def set_time(self, to: ManualClock) -> None:
        """Sets the clock of a guest that was opened with one."""
        with errors.translated():
            self._native.set_time(_instant(to))

    def can_send(
        self, to: Iterable[str], recipient: Recipient = Recipient.ORDINARY
    ) -> list[CanSend]:
        """Whether messages to these may be sent, by what is known here."""
        hint = questions.recipient_of(recipient)
        with errors.translated():
            return questions.answers(self._native.can_send(list(to), hint))

    def explain(self, to: str) -> Explanation:
        """What happened with a contact, and what is known about it."""
        with errors.translated():
            return questions.explanation(self._native.explain(to))

    def limits(self) -> dict[str, Any]:
        """The limits of the account, with when and from whom each is known."""
        with errors.translated():
            return questions.limits(self._native.limits())

    def status(self) -> GuestStatus:
        """Where the guest stands."""
        with errors.translated():
            return guest_status(self._native.status())

    def stop(self) -> None:
        """The program gives up: no work any more, open refusals end as undetermined. Facts are
        still taken in.
        """
        with errors.translated():
            self._native.stop()

    def close(self) -> None:
        """As :meth:`stop`; and whoever waits for an event wakes. A second call does nothing."""
        with errors.translated():
            self._native.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Guest(GuestBase):
    """The tokens and limits of one account whose connection the program owns. Made by
    :meth:`open`.
    """

    async def next_event(self) -> events.Event | None:
        """The next event; ``None`` after the last one, when the guest is closed. A cancelled call
        takes no event with it.
        """
        return await events.next_of(self._native)

    async def events(self) -> AsyncIterator[events.Event]:
        """Events until the guest is closed."""
        while (event := await self.next_event()) is not None:
            yield event


def _kind(kind: MessageKind) -> native.MessageKind:
    return native.MessageKind[MessageKind(kind).name]


def _row(row: Row) -> native.Row:
    return native.Row(token=row.token, time=row.time, sender_time=row.sender_time)


def _instant(clock: ManualClock) -> native.ManualClock:
    return native.ManualClock(unix_ms=clock.unix_ms, mono_ms=clock.mono_ms)
