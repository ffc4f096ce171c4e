"""What an account answers without sending."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from conftest import PEER, ModelServer, linked, until

import sendpath
import sendpath.sync
from sendpath import MaySend, Recipient


def test_under_a_lock_the_answers_say_until_when(server: ModelServer, store: str) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            [free] = await account.can_send([PEER])
            assert (free.to, free.answer) == (f"{PEER}@s.whatsapp.net", MaySend.ALLOWED)
            end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=6)
            server("advance_time", seconds=5)
            server("set_timelock", active=True, until=int(end.timestamp()), push=True)
            await until(account, sendpath.TimelockChanged)
            [blocked] = await account.can_send([PEER])
            assert blocked.answer is MaySend.BLOCKED
            assert isinstance(blocked.error, sendpath.Refused)
            assert (blocked.error.cause, blocked.error.until) == ("ACCOUNT_TIMELOCKED", end)
            [business] = await account.can_send([PEER], Recipient.ENTERPRISE)
            assert business.answer is MaySend.ALLOWED
            lock = (await account.limits())["reachoutTimelock"]
            assert (lock["isActive"], lock["timeEnforcementEnds"]) == (True, end.timestamp())
            with pytest.raises(sendpath.Refused) as here:
                await account.send_text(PEER, "hello")
            assert here.value.code is None, "nothing was sent"
            with pytest.raises(sendpath.Refused) as there:
                await account.send_text(PEER, "hello", recipient=Recipient.ENTERPRISE)
            assert there.value.code == 463, "the server decides"

    asyncio.run(main())


def test_an_explanation_names_nobody_unless_asked(server: ModelServer, store: str) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            server("set_gate", peer=PEER, gate="token")
            with pytest.raises(sendpath.Refused) as refused:
                await account.send_text(PEER, "hello")
            [answer] = await account.can_send([PEER])
            assert answer.answer is MaySend.CONTACT_MUST_WRITE
            told = await account.explain(PEER)
            assert PEER not in told.text() + str(told.json)
            assert PEER in told.text(reveal=True)
            causes = [entry.get("cause") for entry in told.json["timeline"]]
            assert refused.value.cause in causes
            account.forget_account()
            with pytest.raises(sendpath.Refused):
                await account.send_text(PEER, "hello again")
            left = (await account.explain(PEER)).json["timeline"]
            assert "forgotten" in [entry["what"] for entry in left]
            refusals = [entry["count"] for entry in left if entry["what"] == "refused"]
            assert refusals == [1], "the first one is forgotten"

    asyncio.run(main())


def test_questions_need_a_link_and_an_address(store: str) -> None:
    with sendpath.sync.Engine(store) as engine:
        account = engine.account("main")
        with pytest.raises(sendpath.Refused) as unpaired:
            account.limits()
        assert unpaired.value.cause is sendpath.Cause.NOT_PAIRED
        with pytest.raises(sendpath.Refused):
            account.explain(PEER)
        with pytest.raises(sendpath.Misuse) as address:
            account.can_send(["not an address"])
        assert address.value.status is sendpath.Status.BAD_ADDRESS


def test_a_followed_contact_tells_its_presence(server: ModelServer, store: str) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            server("issue_token", peer=PEER, bytes="0102")
            await until(account, sendpath.TokenStored)
            account.subscribe_presence("1001@lid")
            async with asyncio.timeout(60):
                while "tctoken" not in str(server("heard", tag="presence")):
                    await asyncio.sleep(0)
            gone = {"from": "1001@lid", "type": "unavailable", "last": "1786074400"}
            server("push", node={"tag": "presence", "attrs": gone})
            last = datetime.fromtimestamp(1_786_074_400, UTC)
            told = sendpath.Presence("1001@lid", False, last)
            assert await until(account, sendpath.Presence) == told
            with pytest.raises(sendpath.Misuse):
                account.subscribe_presence("x")

    asyncio.run(main())


def test_limits_are_asked_for_when_told(server: ModelServer, store: str) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=6)
            server("set_timelock", active=True, until=int(end.timestamp()), push=False)
            account.refresh_limits()
            changed = await until(account, sendpath.TimelockChanged)
            assert (changed.active, changed.until) == (True, end)
            assert (await account.limits())["reachoutTimelock"]["source"] == "pull"

    asyncio.run(main())


def test_history_and_what_was_left_aside_are_told_in_counts(
    server: ModelServer, store: str
) -> None:
    async def main() -> None:
        async with linked(server, store) as account:
            stamp = 1_786_074_400
            chat = {"peer": PEER, "token": "0102", "t": stamp}
            server("phone_history", chats=[chat], salt="0001", progress=100)
            applied = await until(account, sendpath.HistoryApplied)
            assert (applied.conversations, applied.tokens, applied.mappings) == (1, 1, 1)
            assert applied.salt
            server("issue_token", peer=PEER, t=stamp - 100)
            async with asyncio.timeout(60):
                while account.status().tokens.older != 1:
                    await asyncio.sleep(0)

    asyncio.run(main())


def test_every_option_of_an_account_is_taken(server: ModelServer, store: str) -> None:
    server("set_props", props={"10518": "0"})

    async def main() -> None:
        async with linked(
            server,
            store,
            strict_props=True,
            clock_tolerance=timedelta(hours=1),
            version=(2, 3000, 1_045_649_367),
            documents=sendpath.Documents(capping=("1",), timelock=("2",)),
            max_pending=4,
        ) as account:
            server.wait_for({"iq": {"kind": "abt/props", "count": 1}})
            server("issue_token", peer=PEER)
            await until(account, sendpath.TokenStored)
            [answer] = await account.can_send(["1001@lid"])
            assert answer.attached == "nothing_gate_off", "strict"

    asyncio.run(main())


def test_a_typed_code_links(server: ModelServer, store: str) -> None:
    async def main() -> None:
        async with await sendpath.Engine.open(store) as engine:
            account = await engine.account(
                "main", server_url=server.url, server_root_key=server.root_key
            )
            with pytest.raises(sendpath.Misuse) as number:
                account.pair_by_code("12")
            assert number.value.status is sendpath.Status.BAD_NUMBER
            account.connect()
            account.pair_by_code("+15550100001", "ABCDEFGH")
            shown = await until(account, sendpath.PairCode)
            assert shown == sendpath.PairCode("ABCD-EFGH", 180)
            server("type_code", code=shown.code)
            await until(account, sendpath.Paired)
            await until(account, sendpath.Connected)

    asyncio.run(main())
