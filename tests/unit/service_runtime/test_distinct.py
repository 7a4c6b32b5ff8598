"""Entries of one identity in one group."""

from collections.abc import Sequence

from service_runtime.distinct import commit_distinct
from service_runtime.errors import ServiceError


class Reused(ServiceError):
    """The identity was used with other content."""

    reason = "REUSED"


async def committed(entries: Sequence[str], recorded: dict[str, str]) -> tuple[list[str], list[list[str]]]:
    """Commits entries `identity:content` where the first content of an identity is recorded for ever; answers them and the rounds."""
    rounds = []

    async def commit(group: Sequence[str]) -> list[str | ServiceError]:
        rounds.append(list(group))
        return ["taken" if recorded.setdefault(entry[0], entry) == entry else Reused() for entry in group]

    answers = await commit_distinct(
        entries, identity=lambda entry: entry[0], content=lambda entry: entry, reused=lambda _: Reused(), commit=commit
    )
    return ["reused" if isinstance(answer, Reused) else str(answer) for answer in answers], rounds


async def test_entries_that_differ_are_committed_at_once_in_their_order() -> None:
    assert await committed(["a:1", "b:1"], {}) == (["taken", "taken"], [["a:1", "b:1"]])


async def test_an_equal_entry_shares_the_answer_of_the_first() -> None:
    assert await committed(["a:1", "b:1", "a:1"], {}) == (["taken"] * 3, [["a:1", "b:1"]])


async def test_of_two_contents_the_first_decides() -> None:
    assert await committed(["a:1", "a:2", "a:2"], {}) == (["taken", "reused", "reused"], [["a:1"]])


async def test_an_entry_behind_one_that_comes_too_late_is_answered_what_is_recorded() -> None:
    assert (await committed(["a:2", "a:1"], {"a": "a:1"}))[0] == ["reused", "taken"]


async def test_nothing_to_commit_is_no_commit() -> None:
    assert await committed([], {}) == ([], [])
