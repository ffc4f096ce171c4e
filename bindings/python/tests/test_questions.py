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
