"""The token machine beside a connection that the program owns. The clock stands still."""

import asyncio
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

import sendpath
import sendpath.sync
from sendpath import Attach, MaySend, Row, WorkKind, WorkResult

START = 1_786_074_400
PEER = "100000000000001@lid"
OTHER = "100000000000002@lid"
UNLOCKED = '{"data":{"xwa2_fetch_account_reachout_timelock":{"is_active":false}}}'
LOCKED = (
    '{"data":{"xwa2_fetch_account_reachout_timelock":{"is_active":true,'
    '"time_enforcement_ends":"1786160800","enforcement_type":"DEFAULT"}}}'
)

E = TypeVar("E", bound=sendpath.Event)


def opened(
    store: str | sendpath.GuestStore = "memory:", host_issues: bool = False
) -> sendpath.Guest:
    return sendpath.Guest.open(
        store,
        "main",
        own_jid="4915559999:3@s.whatsapp.net",
        own_lid="900000000000009:3@lid",
        host_issues=host_issues,
        clock=sendpath.ManualClock(START * 1000),
    )


@pytest.fixture
def guest() -> Iterator[sendpath.Guest]:
    with opened() as guest:
        yield guest


async def until(guest: sendpath.Guest, kind: type[E]) -> E:
    async with asyncio.timeout(60):
        async for event in guest.events():
            if isinstance(event, kind):
                return event
    raise AssertionError(f"closed before {kind.__name__}")


def the_pull(guest: sendpath.Guest) -> sendpath.WorkItem:
    """The one question about the lock."""
    [pull] = [item for item in guest.outgoing() if item.kind is WorkKind.MEX]
    return pull


def test_a_token_is_attached_as_soon_as_it_is_told(guest: sendpath.Guest) -> None:
    cold = guest.plan(PEER)
    assert (cold.attach, cold.content, cold.no_tctoken) == (Attach.NOTHING, b"", "never_received")
    guest.token_received(PEER, b"token", START)
    plan = guest.plan(PEER)
    assert (plan.attach, plan.content, plan.token_time) == (Attach.TCTOKEN, b"token", START)
    assert (plan.no_tctoken, plan.refusal) == (None, None)
    assert "b'token'" not in repr(plan), "it may end up in a log"
    stored = asyncio.run(until(guest, sendpath.TokenStored))
    assert (stored.peer, stored.fresh) == (PEER, True)


def test_a_refused_message_is_explained_and_named_when_its_token_comes(
    guest: sendpath.Guest,
) -> None:
    async def main() -> None:
        guest.handed("3EB0A1", PEER)
        guest.ack("3EB0A1", 463)
        pull = the_pull(guest)
        assert pull == the_pull(guest), "the same until it is reported"
        assert pull.query_id and pull.variables and pull.iq_id and pull.iq[0] == 0
        guest.work_done(pull.id, WorkResult.json(UNLOCKED))
        ended = await until(guest, sendpath.SendEnded)
        assert (ended.op, ended.id) == (0, "3EB0A1")
        assert isinstance(ended.error, sendpath.Refused)
        assert ended.error.cause is sendpath.Cause.COLD_REFUSED
        assert ended.error.next is sendpath.Next.ASK_CONTACT_TO_WRITE
        assert ended.error.code == 463
        assert [item for item in guest.outgoing() if item.kind is WorkKind.MEX] == []
        guest.token_received(PEER, b"token", START)
        named = await until(guest, sendpath.MayRetry)
        assert (named.peer, named.ids) == (PEER, ("3EB0A1",))

    asyncio.run(main())


def test_the_questions_are_answered_from_what_is_known(guest: sendpath.Guest) -> None:
    guest.handed("3EB0A1", PEER)
    guest.ack("3EB0A1", 463)
    guest.work_done(the_pull(guest).id, WorkResult.json(UNLOCKED))
    refused, cold = guest.can_send([PEER, OTHER])
    assert (refused.to, refused.answer) == (PEER, MaySend.CONTACT_MUST_WRITE)
    assert (cold.to, cold.answer, cold.error) == (OTHER, MaySend.ALLOWED, None)
    lock = guest.limits()["reachoutTimelock"]
    assert (lock["state"], lock["isActive"], lock["checkedAt"]) == ("inactive", False, START)
    told = guest.explain(PEER)
    digits = PEER.removesuffix("@lid")
    assert told.text() and digits not in told.text() + repr(told) + str(told)
    assert digits in told.text(reveal=True)
    refusal = told.json["timeline"][-1]
    assert (refusal["what"], refusal["cause"], refusal["code"]) == ("refused", "COLD_REFUSED", 463)


def test_under_a_lock_cold_contacts_are_blocked_until_its_end(guest: sendpath.Guest) -> None:
    guest.handed("3EB0A1", PEER)
    guest.ack("3EB0A1", 463)
    guest.work_done(the_pull(guest).id, WorkResult.json(LOCKED))
    [blocked] = guest.can_send([OTHER])
    assert blocked.answer is MaySend.BLOCKED
    assert isinstance(blocked.error, sendpath.Refused)
    assert blocked.error.cause is sendpath.Cause.ACCOUNT_TIMELOCKED
    assert blocked.error.until is not None
    assert blocked.error.until.timestamp() == 1_786_160_800
    [support] = guest.can_send([OTHER], sendpath.Recipient.SUPPORT)
    assert support.answer is MaySend.ALLOWED
    refusal = guest.plan(OTHER).refusal
    assert refusal is not None and refusal.status is sendpath.Status.ACCOUNT_TIMELOCKED
    assert guest.plan(OTHER, recipient=sendpath.Recipient.ENTERPRISE).refusal is None


def test_a_row_that_is_written_back_tells_only_the_time_of_the_issue() -> None:
    with opened(host_issues=True) as guest:
        guest.token_received(PEER, b"token", START - 100)
        row = guest.row_get(PEER)
        assert row is not None
        assert (row.token, row.time, row.sender_time) == (b"token", START, None)
        guest.set_time(sendpath.ManualClock(START * 1000 + 5_000, 5_000))
        guest.row_put(PEER, Row(row.token, row.time, START + 5))
        assert guest.plan(PEER).token_time == START - 100, "the time of a row is made up"
        again = guest.row_get(PEER)
        assert again is not None
        assert (again.token, again.sender_time) == (b"token", START + 5)


def test_facts_of_every_kind_are_taken(guest: sendpath.Guest) -> None:
    guest.mapping_learned("4915550001", PEER)
    guest.token_received("4915550001", b"token", START)
    assert guest.plan(PEER).attach is Attach.TCTOKEN, "both names are one contact"
    guest.identity_changed(PEER)
    guest.wrote(PEER)
    guest.props({865: "604800"})
    guest.history(b"not a history")
    guest.background(linked_at=START, history_complete=True)
    guest.server_time(START)
    guest.backlog(True)
    guest.backlog(False)
    guest.salt_from_history(b"salt from history")
    guest.salt_changed(b"salt")
    guest.salt_changed(None)
    assert guest.salt_get() is None
    guest.handed("3EB0A2", PEER, sendpath.MessageKind.PROTOCOL)
    guest.ack("3EB0A2")
    guest.receipt(["3EB0A2"])
    guest.disconnected()
    assert guest.outgoing() == []
    guest.connected()
    for item in guest.outgoing():
        guest.work_done(item.id, WorkResult.error(503))
    guest.forget_account()
    assert guest.plan(PEER).attach is Attach.NOTHING
    guest.stop()


#: ``SyncActionValue`` 80 { salt 1 }.
SALT = b"\x82\x05\x06\x0a\x04salt"


def test_app_state_tells_the_salt(guest: sendpath.Guest) -> None:
    index = b'["nct_salt_sync"]'
    guest.app_state(b'["star"]', SALT)
    assert guest.salt_get() is None, "another entry"
    guest.app_state(index, SALT)
    guest.app_state(index, b"")
    assert (guest.salt_get(), guest.status().ignored) == (b"salt", 1), "one held no salt"
    guest.app_state(index, None)
    assert guest.salt_get() is None


def test_what_was_left_aside_is_counted(guest: sendpath.Guest) -> None:
    guest.token_received(PEER, b"token", START)
    guest.token_received(PEER, b"old", START - 9)
    guest.ack("3EB0A1")
    told = sendpath.GuestStatus(True, 1, sendpath.TokenCounters(older=1))
    assert guest.status() == told
    guest.disconnected()
    assert not guest.status().online


def test_limits_are_asked_for_when_told(guest: sendpath.Guest) -> None:
    guest.refresh_limits()
    asked = [item for item in guest.outgoing() if item.kind is WorkKind.MEX]
    assert len(asked) == 2, "the lock and the quota"


@pytest.mark.parametrize(("strict", "attach"), [(False, "tctoken"), (True, "nothing")])
def test_the_servers_switch_is_honoured_if_strict(strict: bool, attach: str) -> None:
    own = "900000000000009@lid"
    with sendpath.Guest.open("memory:", "main", own_lid=own, strict_props=strict) as guest:
        guest.props({10518: "0"})
        guest.token_received(PEER, b"token", START)
        assert guest.plan(PEER).attach == attach


def test_a_manual_clock_moves_only_when_told(guest: sendpath.Guest) -> None:
    guest.connected()
    wait = guest.deadline()
    assert wait is not None and wait > timedelta(seconds=1)
    guest.set_time(sendpath.ManualClock(START * 1000 + 1_000, 1_000))
    assert guest.deadline() == wait - timedelta(seconds=1)
    due = wait // timedelta(milliseconds=1)
    guest.set_time(sendpath.ManualClock(START * 1000 + due, due))
    assert guest.deadline() == timedelta(0)
    guest.tick()
    assert guest.deadline() != timedelta(0)
    with pytest.raises(sendpath.Misuse):
        guest.set_time(sendpath.ManualClock(START * 1000, 0))


def test_what_was_told_is_there_for_the_next_guest_and_fences_the_first_off(
    tmp_path: Path,
) -> None:
    store = sendpath.GuestStore(f"{tmp_path}/state.db")
    first = opened(store)
    first.token_received(PEER, b"token", START)
    with opened(store) as second:
        assert second.plan(PEER).attach is Attach.TCTOKEN
        with pytest.raises(sendpath.StoreFailure) as fenced:
            first.token_received(OTHER, b"other", START)
        assert fenced.value.status is sendpath.Status.STORE_FENCED


def test_wrong_calls_are_typed_errors(guest: sendpath.Guest, tmp_path: Path) -> None:
    with pytest.raises(sendpath.Misuse) as address:
        guest.wrote("no body@lid")
    assert address.value.status is sendpath.Status.BAD_ADDRESS
    with pytest.raises(sendpath.Misuse) as message:
        guest.ack("two words")
    assert message.value.status is sendpath.Status.BAD_MESSAGE_ID
    with pytest.raises(sendpath.Misuse) as stanza:
        guest.observe_stanza(b"\x02garbage")
    assert stanza.value.status is sendpath.Status.BAD_BYTES
    with pytest.raises(sendpath.Misuse):
        guest.work_done(1, WorkResult.stanza(b"\x02garbage"))
    with pytest.raises(sendpath.Misuse):
        sendpath.Guest.open("memory:", "main")
    with pytest.raises(sendpath.StoreFailure):
        opened(f"{tmp_path}/nonexistent/state.db")


def test_a_closed_guest_keeps_its_events_and_takes_nothing_more() -> None:
    async def main() -> None:
        guest = opened()
        guest.token_received(PEER, b"token", START)
        guest.close()
        guest.close()
        with pytest.raises(sendpath.Closed):
            guest.tick()
        assert [type(event) async for event in guest.events()] == [sendpath.TokenStored]

    asyncio.run(main())


def test_a_fact_wakes_whoever_waits_for_events(guest: sendpath.Guest) -> None:
    async def main() -> None:
        waiting = asyncio.create_task(guest.next_event())
        await asyncio.sleep(0)
        guest.token_received(PEER, b"token", START)
        event = await asyncio.wait_for(waiting, 60)
        assert isinstance(event, sendpath.TokenStored)

    asyncio.run(main())


def test_the_blocking_guest_waits_on_any_thread_and_close_wakes_it() -> None:
    guest = sendpath.sync.Guest.open("memory:", "main", own_lid="900000000000009@lid")
    with pytest.raises(TimeoutError):
        guest.next_event(timeout=0.01)
    guest.token_received(PEER, b"token", START)
    assert isinstance(guest.next_event(timeout=60), sendpath.TokenStored)
    seen: list[sendpath.Event] = []
    thread = threading.Thread(target=lambda: seen.extend(guest.events()))
    thread.start()
    guest.token_received(OTHER, b"token", START)
    guest.close()
    thread.join(60)
    assert not thread.is_alive()
    assert [type(event) for event in seen] == [sendpath.TokenStored]
    assert guest.next_event() is None
    guest.close()


def test_a_close_in_the_middle_of_a_wait_loses_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = sendpath.sync.Guest.open("memory:", "main", own_lid="900000000000009@lid")
    run = guest._loop.run

    def late(*arguments: Any) -> Any:
        guest.token_received(PEER, b"token", START)
        guest.close()
        return run(*arguments)

    monkeypatch.setattr(guest._loop, "run", late)
    assert isinstance(guest.next_event(), sendpath.TokenStored)
    assert guest.next_event() is None


def test_a_forked_child_gets_an_error() -> None:
    with sendpath.sync.Guest.open("memory:", "main", own_lid="900000000000009@lid") as guest:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                guest.tick()
            except sendpath.Forked:
                try:
                    guest.next_event()
                except sendpath.Forked:
                    code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
