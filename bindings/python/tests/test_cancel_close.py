"""Cancelling, closing and waiting: nothing hangs, nothing is lost."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import PEER, ModelServer, linked, until

import sendpath
import sendpath.sync


def test_a_cancelled_wait_leaves_the_end_of_the_send_to_the_events(
    server: ModelServer, store: str
) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            server("ack_mode", mode="hold")
            send = asyncio.create_task(account.send_text(PEER, "hello", id="3EB0AB"))
            await asyncio.to_thread(server.wait_for, {"messages": {"count": 1}})
            send.cancel()
            with pytest.raises(asyncio.CancelledError):
                await send
            server("release_acks")
            ended = await until(account, sendpath.SendEnded)
            assert ended.id == "3EB0AB"

    asyncio.run(main())


def test_wait_for_ends_a_wait_in_time(server: ModelServer, store: str) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            server("ack_mode", mode="drop")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(account.send_text(PEER, "hello"), 0.05)

    asyncio.run(main())


def test_a_cancelled_wait_for_an_event_takes_no_event_with_it(
    server: ModelServer, store: str
) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            for n in range(50):
                waiting = asyncio.create_task(until(account, sendpath.Message))
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
            server("peer_send", peer=PEER, text="still here")
            message = await until(account, sendpath.Message)
            assert message.text == "still here"

    asyncio.run(main())


def test_close_ends_every_open_send_exactly_once(server: ModelServer, store: str) -> None:
    async def main() -> None:
        async with await sendpath.Engine.open(store) as engine:
            account = await engine.account(
                "main", server_url=server.url, server_root_key=server.root_key
            )
            account.connect()
            qr = await until(account, sendpath.PairQr)
            server("scan_qr", qr=qr.text)
            await until(account, sendpath.Paired)
            await until(account, sendpath.Connected)
            server("ack_mode", mode="drop")
            sends = [asyncio.create_task(account.send_text(PEER, str(n))) for n in range(32)]
            await asyncio.to_thread(server.wait_for, {"messages": {"count": 1}})
            await engine.close()
            ends = await asyncio.wait_for(asyncio.gather(*sends, return_exceptions=True), 10)
            assert len(ends) == 32
            assert all(isinstance(end, sendpath.SendError) for end in ends), ends

    asyncio.run(main())


def test_close_wakes_whoever_waits_for_events(store: str) -> None:
    async def main() -> None:
        async with await sendpath.Engine.open(store) as engine:
            account = await engine.account("main")
            waiting = asyncio.create_task(account.next_event())
            await asyncio.sleep(0)
            await account.close()
            assert await asyncio.wait_for(waiting, 10) is None
            assert [event async for event in account.events()] == []

    asyncio.run(main())


def test_a_second_close_does_nothing_and_use_after_close_is_an_error(store: str) -> None:
    async def main() -> None:
        engine = await sendpath.Engine.open(store)
        account = await engine.account("main")
        await account.close()
        await account.close()
        await engine.close()
        await engine.close()
        with pytest.raises(sendpath.Closed):
            await account.send_text(PEER, "hello")
        with pytest.raises(sendpath.Closed):
            account.connect()
        with pytest.raises(sendpath.Closed):
            await engine.account("other")

    asyncio.run(main())


def test_wrong_names_and_stores_are_typed_errors(store: str, tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(sendpath.StoreFailure):
            await sendpath.Engine.open(f"{tmp_path}/nonexistent/state.db")
        async with await sendpath.Engine.open(store) as engine:
            with pytest.raises(sendpath.Misuse) as caught:
                await engine.account("two words")
            assert caught.value.status is sendpath.Status.BAD_ACCOUNT_NAME
            with pytest.raises(sendpath.Misuse) as caught:
                await engine.account("main", server_root_key=b"short")
            assert caught.value.status is sendpath.Status.INVALID_ARGUMENT
            account = await engine.account("main")
            with pytest.raises(sendpath.Misuse) as caught:
                await engine.account("main")
            await account.close()
            assert caught.value.status is sendpath.Status.ALREADY_OPEN

    asyncio.run(main())


def test_a_forked_child_gets_an_error_and_does_not_hang(store: str) -> None:
    with sendpath.sync.Engine(store) as engine:
        account = engine.account("main")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                account.connect()
            except sendpath.Forked:
                try:
                    account.next_event()
                except sendpath.Forked:
                    code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert account.status().phase == "offline"


# A parent that was started in the background hands down "ignore SIGINT".
WAITING = """
import signal, sys, sendpath.sync
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = sendpath.sync.Engine(sys.argv[1])
account = engine.account("main")
try:
    print("waiting", flush=True)
    account.next_event()
except KeyboardInterrupt:
    engine.close()
    print("interrupted")
"""

WAITING_ASYNC = """
import asyncio, signal, sys, sendpath
signal.signal(signal.SIGINT, signal.default_int_handler)
async def main():
    async with await sendpath.Engine.open(sys.argv[1]) as engine:
        account = await engine.account("main")
        print("waiting", flush=True)
        await account.next_event()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("program", [WAITING, WAITING_ASYNC])
def test_ctrl_c_ends_a_wait(program: str, store: str) -> None:
    command = [sys.executable, "-c", program, store]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        try:
            output, _ = process.communicate(timeout=30)
        finally:
            process.kill()
        assert output == "interrupted\n"
        assert process.returncode == 0


FORGOTTEN = """
import asyncio, sys, sendpath
async def main():
    global engine
    engine = await sendpath.Engine.open(sys.argv[1])
    account = await engine.account("main", server_url="ws://127.0.0.1:9/")
    account.connect()
    waiting = asyncio.create_task(account.next_event())
    await asyncio.sleep(0)
asyncio.run(main())
"""


def test_a_program_that_forgets_to_close_ends_cleanly(store: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORGOTTEN, store], timeout=30, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_blocking_interface_sends_and_closes_under_a_waiting_thread(
    server: ModelServer, store: str
) -> None:
    with sendpath.sync.Engine(store) as engine:
        account = engine.account(
            "main", server_url=server.url, server_root_key=server.root_key
        )
        account.connect()
        for event in account.events():
            match event:
                case sendpath.PairQr(text=text):
                    server("scan_qr", qr=text)
                case sendpath.Connected():
                    break
        assert account.send_text(PEER, "hello", timeout=30).id
        assert account.status().phase == "online"
        server("ack_mode", mode="drop")
        with pytest.raises(TimeoutError):
            account.send_text(PEER, "unanswered", timeout=0.05)
        seen: list[sendpath.Event] = []
        thread = threading.Thread(target=lambda: seen.extend(account.events()))
        thread.start()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(sendpath.Closed):
        account.next_event()
