"""The same without asyncio: every call blocks, from any thread, and Ctrl-C ends the wait."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from . import engine as aio
from . import errors, events
from ._native import sendpath_uniffi as native
from .engine import Accepted
from .guest import GuestBase
from .questions import CanSend, Explanation, Recipient
from .settings import AccountOptions
from .status import AccountStatus

T = TypeVar("T")


class Engine:
    """A set of accounts on one store."""

    def __init__(self, store: str) -> None:
        """Opens the store at a path. Raises :class:`StoreFailure`."""
        self._loop = _LoopThread()
        try:
            self._inner = self._loop.run(lambda: aio.Engine.open(store))
        except BaseException:
            self._loop.stop()
            raise

    def account(
        self,
        name: str,
        **options: Unpack[AccountOptions],
    ) -> Account:
        """As :meth:`sendpath.Engine.account`."""
        inner = self._loop.run(lambda: self._inner.account(name, **options))
        return Account(inner, self._loop)

    def close(self) -> None:
        """Closes every account and the store. A second call does nothing."""
        if not self._loop.stopped:
            self._loop.run(self._inner.close)
            self._loop.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Account:
    """An account. Made by :meth:`Engine.account`."""

    def __init__(self, inner: aio.Account, loop: _LoopThread) -> None:
        self._inner = inner
        self._loop = loop

    def connect(self) -> None:
        """As :meth:`sendpath.Account.connect`."""
        self._inner.connect()

    def pair_by_code(self, number: str, code: str | None = None) -> None:
        """As :meth:`sendpath.Account.pair_by_code`."""
        self._inner.pair_by_code(number, code)

    def disconnect(self) -> None:
        """As :meth:`sendpath.Account.disconnect`."""
        self._inner.disconnect()

    def status(self) -> AccountStatus:
        """As :meth:`sendpath.Account.status`."""
        return self._inner.status()

    def logout(self, *, keep_tokens: bool = True) -> None:
        """As :meth:`sendpath.Account.logout`."""
        self._inner.logout(keep_tokens=keep_tokens)

    def forget_account(self) -> None:
        """As :meth:`sendpath.Account.forget_account`."""
        self._inner.forget_account()

    def refresh_limits(self) -> None:
        """As :meth:`sendpath.Account.refresh_limits`."""
        self._inner.refresh_limits()

    def subscribe_presence(self, to: str) -> None:
        """As :meth:`sendpath.Account.subscribe_presence`."""
        self._inner.subscribe_presence(to)

    def can_send(
        self, to: Iterable[str], recipient: Recipient = Recipient.ORDINARY
    ) -> list[CanSend]:
        """As :meth:`sendpath.Account.can_send`."""
        return self._loop.run(lambda: self._inner.can_send(to, recipient))

    def explain(self, to: str) -> Explanation:
        """As :meth:`sendpath.Account.explain`."""
        return self._loop.run(lambda: self._inner.explain(to))

    def limits(self) -> dict[str, Any]:
        """As :meth:`sendpath.Account.limits`."""
        return self._loop.run(self._inner.limits)

    def send_text(
        self,
        to: str,
        body: str,
        *,
        id: str | None = None,
        recipient: Recipient = Recipient.ORDINARY,
        deadline: timedelta | None = None,
        timeout: float | None = None,
    ) -> Accepted:
        """As :meth:`sendpath.Account.send_text`. After ``timeout`` seconds the send is cancelled and
        :class:`TimeoutError` is raised.
        """
        return self._loop.run(
            lambda: self._inner.send_text(
                to, body, id=id, recipient=recipient, deadline=deadline
            ),
            timeout,
        )

    def next_event(self, timeout: float | None = None) -> events.Event | None:
        """The next event; ``None`` after the last one, when the account is closed. Raises
        :class:`TimeoutError` after ``timeout`` seconds.
        """
        return self._loop.run(self._inner.next_event, timeout)

    def events(self) -> Iterator[events.Event]:
        """Events until the account is closed."""
        while (event := self.next_event()) is not None:
            yield event

    def close(self) -> None:
        """As :meth:`sendpath.Account.close`."""
        if not self._loop.stopped:
            self._loop.run(self._inner.close)

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
    """As :class:`sendpath.Guest`. Made by :meth:`open`."""

    def __init__(self, inner: native.Guest) -> None:
        super().__init__(inner)
        self._loop = _LoopThread()

    def next_event(self, timeout: float | None = None) -> events.Event | None:
        """The next event; ``None`` after the last one, when the guest is closed. Raises
        :class:`TimeoutError` after ``timeout`` seconds.
        """
        try:
            event = self._taken()
            return event or self._loop.run(lambda: events.next_of(self._native), timeout)
        except errors.Closed:
            pass  # maybe just now, behind events that can still be taken
        try:
            return self._taken()
        except errors.Closed:
            return None

    def _taken(self) -> events.Event | None:
        with errors.translated():
            event = self._native.take_event()
        return None if event is None else events.of(event)

    def events(self) -> Iterator[events.Event]:
        """Events until the guest is closed."""
        while (event := self.next_event()) is not None:
            yield event

    def close(self) -> None:
        """As :meth:`sendpath.Guest.close`."""
        try:
            super().close()
        finally:
            self._loop.stop()


class _LoopThread:
    """An event loop on a thread of its own, so that the calling thread waits interruptibly."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="sendpath-sync", daemon=True)
        self._lock = threading.Lock()
        self.stopped = False
        self._thread.start()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]], timeout: float | None = None) -> T:
        """The result of ``work``. A caller that is interrupted cancels it."""
        with self._lock:
            self._check()
            future = asyncio.run_coroutine_threadsafe(_within(timeout, work), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Lets what is still running end and joins the thread. In a forked child there is none."""
        if os.getpid() != self._process:
            return
        with self._lock:
            if self.stopped:
                return
            self.stopped = True
            asyncio.run_coroutine_threadsafe(_others(), self._loop).add_done_callback(
                lambda _: self._loop.call_soon_threadsafe(self._loop.stop)
            )
        self._thread.join()

    def _check(self) -> None:
        if os.getpid() != self._process:
            message = "the process was forked after the engine was opened; open one in the child"
            raise errors.Forked(message, errors.Status.FORKED)
        if self.stopped:
            raise errors.Closed("the engine is closed", errors.Status.CLOSED)

    def _serve(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


async def _within(timeout: float | None, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    async with asyncio.timeout(timeout):
        return await work()


async def _others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
