"""A model server for each test: it obeys documented facts only and listens on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import pytest

import sendpath

PEER = "4915550001"

E = TypeVar("E", bound=sendpath.Event)


class ModelServer:
    """The program, and its JSON lines."""

    def __init__(self) -> None:
        program = os.environ["SENDPATH_MODEL_SERVER"]
        self._process = subprocess.Popen(
            [program, "--listen", "127.0.0.1:0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = self._answer()
        self.url: str = ready["url"]
        self.root_key = bytes.fromhex(ready["root_key"])

    def __call__(self, cmd: str, **fields: object) -> Any:
        """Gives an order and returns the reply."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"cmd": cmd, **fields}) + "\n")
        self._process.stdin.flush()
        reply = self._answer()
        assert reply["reply"] != "error", reply
        return reply

    def wait_for(self, condition: object) -> None:
        """Waits until the condition is met."""
        assert self("wait_for", condition=condition)["met"], condition

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the model server ended"
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(10) == 0


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        server("add_peer", pn=PEER, lid="1001")
        yield server


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "state.db")


@asynccontextmanager
async def linked(
    server: ModelServer, store: str, **options: Unpack[sendpath.AccountOptions]
) -> AsyncIterator[sendpath.Account]:
    """An account that is paired and online."""
    async with await sendpath.Engine.open(store) as engine:
        options["server_url"] = server.url
        options["server_root_key"] = server.root_key
        account = await engine.account("main", **options)
        account.connect()
        qr = await until(account, sendpath.PairQr)
        server("scan_qr", qr=qr.text)
        await until(account, sendpath.Paired)
        await until(account, sendpath.Connected)
        yield account


async def until(account: sendpath.Account, kind: type[E]) -> E:
    """The next event of that kind."""
    async with asyncio.timeout(60):
        async for event in account.events():
            if isinstance(event, kind):
                return event
    raise AssertionError(f"closed before {kind.__name__}")
