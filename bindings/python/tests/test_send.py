"""A send ends in the truth: accepted, refused with a reason, or unknown."""

import asyncio
import runpy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import PEER, ModelServer, linked, until

import sendpath

EXAMPLES = Path(__file__).parents[3] / "examples" / "python"


def test_a_text_arrives_and_its_acceptance_is_told(server: ModelServer, store: str) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            accepted = await account.send_text(PEER, "hello", id="3EB0AB")
            assert accepted.id == "3EB0AB"
            assert accepted.server_time is not None
            server.wait_for({"received": {"peer": PEER, "text": "hello", "count": 1}})
            receipt = await until(account, sendpath.Receipt)
            assert receipt.ids == ("3EB0AB",)

    asyncio.run(main())
    assert server("violations")["violations"] == []


def test_under_a_lock_a_refusal_says_why_until_when_and_what_next(
    server: ModelServer, store: str
) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=6)
            # Pushes are dated in whole seconds; one older than the state read at login is ignored.
            server("advance_time", seconds=5)
            server("set_timelock", active=True, until=int(end.timestamp()), push=True)
            lock = await until(account, sendpath.TimelockChanged)
            assert (lock.active, lock.until) == (True, end)
            with pytest.raises(sendpath.Refused) as caught:
                await account.send_text(PEER, "hello")
            refusal = caught.value
            assert refusal.cause is sendpath.Cause.ACCOUNT_TIMELOCKED
            assert refusal.status is sendpath.Status.ACCOUNT_TIMELOCKED
            assert refusal.next is sendpath.Next.WAIT_UNTIL
            assert refusal.until == end
            assert refusal.code is None, "nothing was sent"
            assert "does not let this account start new chats" in refusal.advice
            assert refusal.id is not None

    asyncio.run(main())
    assert server("messages")["messages"] == []


def test_a_463_without_a_lock_asks_for_the_contact_to_write(
    server: ModelServer, store: str
) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            server("set_gate", peer=PEER, gate="token")
            with pytest.raises(sendpath.Refused) as caught:
                await account.send_text(PEER, "hello")
            assert caught.value.next is sendpath.Next.ASK_CONTACT_TO_WRITE
            assert caught.value.until is None
            assert caught.value.code == 463

    asyncio.run(main())


def test_an_incoming_text_is_an_event(server: ModelServer, store: str) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            server("peer_send", peer=PEER, text="good morning")
            message = await until(account, sendpath.Message)
            assert message.text == "good morning"
            assert not message.from_me
            assert message.payload
            assert "good morning" not in repr(message)

    asyncio.run(main())


def test_a_wrong_call_is_an_error_and_nothing_is_sent(server: ModelServer, store: str) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            with pytest.raises(sendpath.Misuse) as bad_address:
                await account.send_text("not an address", "hello")
            assert bad_address.value.status is sendpath.Status.BAD_ADDRESS
            with pytest.raises(sendpath.Misuse) as bad_id:
                await account.send_text(PEER, "hello", id="two words")
            assert bad_id.value.status is sendpath.Status.BAD_MESSAGE_ID
            with pytest.raises(TypeError):
                await account.send_text(PEER, 5)  # type: ignore[arg-type]
            with pytest.raises(UnicodeEncodeError):
                await account.send_text(PEER, "\ud800")

    asyncio.run(main())
    assert server("messages")["messages"] == []


def test_two_hundred_sends_at_once_all_end(server: ModelServer, store: str) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            sends = [account.send_text(PEER, f"text {n}") for n in range(200)]
            accepted = await asyncio.gather(*sends)
            assert len({end.id for end in accepted}) == 200

    asyncio.run(main())


def test_the_example_does_what_it_says(server: ModelServer, store: str) -> None:
    example = runpy.run_path(str(EXAMPLES / "send_text.py"))
    lines: list[str] = []

    def show(line: str) -> None:
        lines.append(line)
        if line.startswith("scan: "):
            server("scan_qr", qr=line.removeprefix("scan: "))

    async def main() -> None:
        async with await sendpath.Engine.open(store) as engine:
            account = await engine.account(
                "main", server_url=server.url, server_root_key=server.root_key
            )
            await example["send_text"](account, PEER, "hello", show)

    asyncio.run(main())
    assert lines[-1].startswith("accepted: ")
