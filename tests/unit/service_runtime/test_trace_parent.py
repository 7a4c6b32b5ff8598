import pytest

from service_runtime.trace_parent import TraceParent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "is_sampled"), [("00", False), ("01", True), ("02", False), ("03", True)])
def test_a_traceparent_is_read(flags: str, *, is_sampled: bool) -> None:
    parent = TraceParent.read(f"00-{TRACE}-{SPAN}-{flags}")
    assert parent == (int(TRACE, 16), int(SPAN, 16), is_sampled)
    assert TraceParent.read(str(parent)) == parent


def test_a_later_version_may_say_more() -> None:
    assert TraceParent.read(f"cc-{TRACE}-{SPAN}-01-what-the-future-brings") is not None


@pytest.mark.parametrize(
    "text",
    [
        None,
        b"",
        "",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-0g",
        f" 00-{TRACE}-{SPAN}-01",
    ],
)
def test_a_malformed_one_counts_as_missing(text: str | bytes | None) -> None:
    assert TraceParent.read(text) is None


def test_an_unsampled_one_is_well_formed() -> None:
    made = TraceParent.unsampled()
    assert TraceParent.read(str(made)) == made
    assert not made.is_sampled
