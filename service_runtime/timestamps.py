"""Moments on the wire."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(moment: datetime) -> Timestamp:
    """Answers a moment with its time zone as a google.protobuf.Timestamp."""
    proto = Timestamp()
    proto.FromDatetime(moment)
    return proto
