"""What a log line says, and what it never says."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from service_runtime import call_context, logs

SECRET = "Key (document)=(52998224725) already exists"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Logs into a buffer, and reads it."""
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure_logs(service="test", level="info", form=None, lines_max_per_s=3)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_line_is_one_json_object_with_its_service_level_and_time(lines: Lines) -> None:
    structlog.get_logger("x").warning("slow call", order_id="1")
    structlog.get_logger("x").debug("left out")
    [line] = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "slow call", "level": "warning", "service": "test", "order_id": "1"}


def test_a_line_has_the_trace_id_that_its_caller_sent(lines: Lines) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    metadata = (("traceparent", f"00-{trace_id}-00f067aa0ba902b7-00"),)
    token = call_context.current_call.set(SimpleNamespace(invocation_metadata=lambda: metadata))
    structlog.get_logger("x").info("call")
    call_context.current_call.reset(token)
    structlog.get_logger("x").info("elsewhere")
    assert [line.get("trace_id") for line in lines()] == [trace_id, None]


def test_a_flood_of_one_kind_is_cut_and_counted_and_others_are_not(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=lambda: now.s))
    log = structlog.get_logger("x")
    for _ in range(10):
        log.warning("call refused", reason="NOT_ACCEPTED")
    log.warning("slow call")
    now.s += 1
    log.warning("call refused", reason="NOT_ACCEPTED")
    log.warning("call refused", reason="NOT_ACCEPTED")
    assert [(line["event"], line.get("left_out")) for line in lines()] == [
        *[("call refused", None)] * 3,
        ("slow call", None),
        ("call refused", 7),
        ("call refused", None),
    ]


def test_a_librarys_exception_is_told_by_kind_and_place_alone(lines: Lines) -> None:
    def fail() -> None:
        raise ValueError(SECRET)

    try:
        fail()
    except ValueError:
        logging.getLogger("library").exception("it failed")
    [line] = lines()
    assert (line["event"], line["error"]) == ("it failed", "ValueError")
    assert line["trace"][-1].endswith(" fail")
    assert SECRET not in json.dumps(line)
