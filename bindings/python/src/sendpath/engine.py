"""The engine and its accounts, for asyncio."""

from __future__ import annotations

import asyncio
import atexit
import weakref
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, Unpack

from . import errors, events, questions, settings
from ._native import sendpath_uniffi as native
from .questions import CanSend, Explanation, Recipient
from .settings import AccountOptions
from .status import AccountStatus, account_status


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took the message."""

    #: The id the message was sent with.
    id: str
    #: The server's time stamp, when it gave one.
    server_time: datetime | None
    #: What the message carried to open the chat, as a stable word.
    attached: str | None


class Engine:
    """A set of accounts on one store. Made by :meth:`open`."""

    def __init__(self, inner: native.Engine) -> None:
        self._native = inner
        _open_engines.add(self)

    @classmethod
    async def open(cls, store: str) -> Self:
        """Opens the store at a path.

        Raises :class:`StoreFailure`.
        """
        with errors.translated():
            return cls(await asyncio.to_thread(native.Engine.open, store))

    async def account(
        self,
        name: str,
        **options: Unpack[AccountOptions],
    ) -> Account:
        """Opens the account that this program calls ``name``; it stays offline until
        :meth:`Account.connect`. The server is WhatsApp's own unless told otherwise.

        Raises :class:`Misuse` for a bad name or an account that is open already,
        :class:`StoreFailure`, :class:`Closed`.
        """
        with errors.translated():
            config = settings.account_config(options)
            return Account(await asyncio.to_thread(self._native.account, name, config))

    async def close(self) -> None:
        """Closes every account and the store. A second call does nothing."""
        with errors.translated():
            await asyncio.to_thread(self._native.shutdown)
        _open_engines.discard(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class Account:
    """An account. Made by :meth:`Engine.account`."""

    def __init__(self, inner: native.Account) -> None:
        self._native = inner

    def connect(self) -> None:
        """Dials and stays connected; returns at once. An account that is not paired tells
        :class:`PairQr` events first.
        """
        with errors.translated():
            self._native.connect()

    def pair_by_code(self, number: str, code: str | None = None) -> None:
        """Links by a code that the user types into the phone with that number, instead of scanning:
        :class:`PairCode` shows it, after :meth:`connect`. ``code`` is the program's own code, eight
        symbols of ``123456789ABCDEFGHJKLMNPQRSTVWXYZ``; ``None`` for a random one. It ends as
        :class:`Paired` or :class:`PairFailed`; do not ask in a loop, the server throttles a number for
        hours.

        Raises :class:`Misuse` for a bad number or code.
        """
        with errors.translated():
            self._native.pair_by_code(number, code)

    def disconnect(self) -> None:
        """Closes the connection and stays offline."""
        with errors.translated():
            self._native.disconnect()

    def status(self) -> AccountStatus:
        """Where the account stands."""
        with errors.translated():
            return account_status(self._native.status())

    def logout(self, *, keep_tokens: bool = True) -> None:
        """Unlinks the device and deletes its credentials; :class:`LoggedOut` tells when it is done.
        With ``keep_tokens`` the tokens of contacts stay for a later link of the same account.
        """
        with errors.translated():
            self._native.logout(keep_tokens)

    def forget_account(self) -> None:
        """Deletes everything that is stored for the account: tokens, names, limits, timelines. The
        link of this device stays. Returns at once; it happens before later sends, but not
        necessarily before what is asked next.
        """
        with errors.translated():
            self._native.forget_account()

    def refresh_limits(self) -> None:
        """Asks the server for the account's limits; a change is an event, and the answer is then in
        :meth:`limits`. Returns at once; does nothing while there is no connection.
        """
        with errors.translated():
            self._native.refresh_limits()

    def subscribe_presence(self, to: str) -> None:
        """Follows the presence of a contact until the connection ends: :class:`Presence`. The question
        carries the contact's token. Returns at once; does nothing while there is no connection.

        Raises :class:`Misuse` for a bad address.
        """
        with errors.translated():
            self._native.subscribe_presence(to)

    async def can_send(
        self, to: Iterable[str], recipient: Recipient = Recipient.ORDINARY
    ) -> list[CanSend]:
        """Whether messages to these may be sent, by what is known here; the server is not asked.

        Raises :class:`Refused` when the account is not paired, :class:`Misuse` for a bad address.
        """
        hint = questions.recipient_of(recipient)
        with errors.translated():
            return questions.answers(
                await asyncio.to_thread(self._native.can_send, list(to), hint)
            )

    async def explain(self, to: str) -> Explanation:
        """What happened with a contact, and what is known about it. Raises as :meth:`can_send`."""
        with errors.translated():
            return questions.explanation(await asyncio.to_thread(self._native.explain, to))

    async def limits(self) -> dict[str, Any]:
        """The limits of the account, with when and from whom each is known. Raises as
        :meth:`can_send`.
        """
        with errors.translated():
            return questions.limits(await asyncio.to_thread(self._native.limits))

    async def send_text(
        self,
        to: str,
        body: str,
        *,
        id: str | None = None,
        recipient: Recipient = Recipient.ORDINARY,
        deadline: timedelta | None = None,
    ) -> Accepted:
        """Sends a text and waits for the server's answer. ``recipient`` is what the program knows
        about whom it is for; ``deadline`` says how long from now the message may still leave.

        Raises :class:`Refused`, :class:`OutcomeUnknown`, or :class:`Misuse` when nothing was done.
        A cancelled call cancels the send, unless the message has left; its end then comes as a
        :class:`SendEnded`.
        """
        milliseconds = None if deadline is None else deadline // timedelta(milliseconds=1)
        hint = questions.recipient_of(recipient)
        options = native.SendOptions(id=id, recipient=hint, deadline_ms=milliseconds)
        with errors.translated():
            sending = self._native.send_text(to, body, options)
            try:
                await sending.ended()
            except asyncio.CancelledError:
                sending.cancel()
                raise
            accepted = sending.take()
        server_time = errors.instant(accepted.server_time)
        return Accepted(accepted.id, server_time, accepted.attached)

    async def next_event(self) -> events.Event | None:
        """The next event; ``None`` after the last one, when the account is closed. A cancelled call
        takes no event with it.
        """
        return await events.next_of(self._native)

    async def events(self) -> AsyncIterator[events.Event]:
        """Events until the account is closed."""
        while (event := await self.next_event()) is not None:
            yield event

    async def close(self) -> None:
        """Ends the connection and every open send and wakes everybody who waits. A second call does
        nothing.
        """
        with errors.translated():
            await asyncio.to_thread(self._native.shutdown)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


_open_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


@atexit.register
def _close_engines() -> None:
    # A library thread must not call into an interpreter that is going down.
    for engine in list(_open_engines):
        try:
            engine._native.shutdown()
        except errors.NativeError:
            pass  # a forked child: the threads are its parent's
