"""Structured logs: JSON where a machine reads them, colours on a terminal. They hold ids and figures, never a person's data."""

import logging
import sys
import time
import traceback
from types import TracebackType
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from service_runtime import call_context

FRAMES_MAX = 8
KINDS_KEPT_MAX = 1_000

LogFormat = Literal["json", "console"]


def configure_logs(*, service: str, level: str, form: LogFormat | None, lines_max_per_s: int) -> None:
    """Sends the service's own and its libraries' log lines to stderr in one form: on a terminal `console`, unless said otherwise."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_trace_id,
        _without_texts,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(FloodLimit(lines_max_per_s))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(form or ("console" if sys.stderr.isatty() else "json")),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    structlog.contextvars.bind_contextvars(service=service)


def _renderer(form: LogFormat) -> Processor:
    if form == "console":
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.processors.JSONRenderer()


class FloodLimit(logging.Filter):
    """Lets a number of lines of one kind through in a second, and tells in the next one how many were left out.

    An outage makes a line of each call, and would take more work than the calls.
    """

    def __init__(self, lines_max_per_s: int) -> None:
        super().__init__()
        self._lines_max = lines_max_per_s
        # By kind: the second, the lines in it, and the lines that were left out.
        self._counts: dict[object, tuple[int, int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether a line is written."""
        event = record.msg if isinstance(record.msg, dict) else None
        kind = record.name, record.msg if event is None else event.get("event")
        now_s = int(time.monotonic())
        second_s, lines, left_out = self._counts.get(kind, (now_s, 0, 0))
        if second_s == now_s and lines >= self._lines_max:
            self._counts[kind] = now_s, lines, left_out + 1
            return False
        if left_out and event is not None:
            event["left_out"] = left_out
        if len(self._counts) >= KINDS_KEPT_MAX:
            # Kinds are few, but for a library that puts something else into each of its texts.
            self._counts.clear()
        self._counts[kind] = now_s, lines + 1 if second_s == now_s else 1, 0
        return True


def frames(trace: TracebackType | None) -> list[str]:
    """Where an error happened. Not its text: a database's messages quote the rows they are about."""
    found = traceback.extract_tb(trace)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in found[-FRAMES_MAX:]]


def _with_trace_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    trace_id = call_context.trace_id()
    if trace_id is not None:
        event.setdefault("trace_id", trace_id)
    return event


def _without_texts(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Libraries hand over whole exceptions: what is told of one is its kind, and where it happened."""
    info = event.pop("exc_info", None)
    if isinstance(info, tuple) and isinstance(info[1], BaseException):
        event["error"] = type(info[1]).__name__
        event["trace"] = frames(info[1].__traceback__)
    return event
