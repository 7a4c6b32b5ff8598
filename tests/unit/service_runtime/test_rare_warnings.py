import logging
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from service_runtime.otel import exporting


def test_an_outage_of_the_collector_is_told_at_once_and_then_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now, log = SimpleNamespace(s=1_000.0), Mock()
    monkeypatch.setattr(exporting, "time", SimpleNamespace(monotonic=lambda: now.s))
    monkeypatch.setattr(exporting, "log", log)
    handler = exporting._RareWarnings()
    record = logging.LogRecord("opentelemetry.x", logging.ERROR, "", 0, "Failed to export %s", ("traces",), None)
    for _ in range(600):
        handler.handle(record)
        now.s += 0.2
    assert [call.kwargs for call in log.warning.call_args_list] == [
        {"what": "Failed to export traces", "untold": 0},
        {"what": "Failed to export traces", "untold": 299},
    ]
