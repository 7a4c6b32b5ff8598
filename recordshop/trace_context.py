"""The trace that a call belongs to, told to the services: only in a program that traces by OpenTelemetry itself."""

import sys


def trace_metadata() -> tuple[tuple[str, str], ...]:
    """Metadata that name the current span, as the program's propagators write them: W3C's `traceparent`, unless it chose others."""
    if "opentelemetry.trace" not in sys.modules:
        # Nobody traces here, and nobody pays for the import.
        return ()
    from opentelemetry import propagate  # noqa: PLC0415 - see above.

    headers: dict[str, str] = {}
    propagate.inject(headers)
    # grpc takes names in lower case only.
    return tuple((name.lower(), value) for name, value in headers.items())
