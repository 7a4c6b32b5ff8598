"""Moments on the wire."""

from datetime import datetime
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

# All orders of a group were written at one moment.
KEPT_MAX = 64


@lru_cache(maxsize=KEPT_MAX)
def timestamp(moment: datetime) -> Timestamp:
    """Answers a moment with its time zone as a google.protobuf.Timestamp, which is shared: a message that takes it makes its own copy."""
    proto = Timestamp()
    proto.FromDatetime(moment)
    return proto
