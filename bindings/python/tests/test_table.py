"""Numbers, versions and the boundary."""

import asyncio
import importlib
import importlib.metadata
from pathlib import Path

import pytest

import sendpath
from sendpath import errors, events
from sendpath._native import sendpath_uniffi as native


def test_the_numbers_are_those_of_the_library() -> None:
    ours = {status.value: status.name for status in sendpath.Status}
    assert ours == {entry.status: entry.name for entry in native.status_table()}


def test_every_refusal_has_a_cause_of_the_same_name() -> None:
    refused = {entry.name for entry in native.status_table() if entry._class == "refused"}
    assert {cause.value for cause in sendpath.Cause} == refused


def test_every_number_becomes_the_exception_of_its_class() -> None:
    kinds: dict[str, tuple[type[sendpath.SendpathError], ...]] = {
        "misuse": (sendpath.Misuse,),
        "runtime": (sendpath.Closed, sendpath.Forked, sendpath.RuntimeFailure),
        "store": (sendpath.StoreFailure,),
        "refused": (sendpath.Refused,),
        "unknown": (sendpath.OutcomeUnknown,),
        "media": (sendpath.MediaFailure,),
        "bug": (sendpath.Bug,),
    }
    for entry in native.status_table():
        if entry.status == 0:
            continue
        refused = entry._class == "refused"
        error = errors.from_details(
            native.ErrorDetails(
                status=entry.status,
                name=entry.name,
                message="text",
                cause=entry.name if refused else None,
                next="do_not_retry" if refused else None,
                until=None,
                retry_after_ms=None,
                may_retry=None,
                code=None,
                advice=None,
                attached=None,
                message_id=None,
                still_trying=None,
            )
        )
        assert isinstance(error, kinds[entry._class]), entry
        assert error.status == entry.status
        assert str(error) == "text"


def test_an_event_of_an_unknown_kind_survives() -> None:
    event = events.of(native.Event.OTHER(kind="brand_new", json='{"kind": "brand_new", "n": 1}'))
    assert event == events.Other("brand_new", {"kind": "brand_new", "n": 1})


def test_every_kind_of_event_has_a_class() -> None:
    names = {name for name in vars(native.Event) if name.isupper()}
    of = Path(events.__file__).read_text()
    assert names and all(f"kind.{name}(" in of for name in names), names


def test_package_and_library_have_one_version() -> None:
    assert sendpath.__version__ == importlib.metadata.version("sendpath")


def test_the_package_under_test_is_the_installed_one() -> None:
    assert "site-packages" in sendpath.__file__


def test_a_panic_stops_at_the_boundary() -> None:
    panicking = importlib.import_module("sendpath_panic.sendpath_uniffi")
    with pytest.raises(panicking.InternalError, match="on purpose"):
        panicking.panic_on_purpose()
    with pytest.raises(panicking.InternalError, match="on purpose, later"):
        asyncio.run(panicking.panic_on_purpose_later())
    assert panicking.version() == sendpath.__version__


def test_a_panic_is_told_as_a_bug() -> None:
    with pytest.raises(sendpath.Bug) as caught, errors.translated():
        raise native.InternalError("broken")
    assert caught.value.status is sendpath.Status.PANIC
