from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from catalog_service import mapping
from catalog_service.model import Disc as KeptDisc
from catalog_service.model import DiscDraft, DiscEdit
from recordshop.catalog.v1.catalog_pb2 import (
    BatchGetDiscsRequest,
    CreateDiscRequest,
    DeleteDiscRequest,
    Disc,
    GetDiscRequest,
    UpdateDiscRequest,
)
from service_runtime.errors import InvalidArgument

ID = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39"
GOOD: dict[str, Any] = {
    "name": "We are Reactive",
    "artist": "Hohpe",
    "year_of_release": 2022,
    "genre": "Indie",
    "price_cents": 2_999,
}


def draft(*, opening_stock: int = 500, **changes: Any) -> DiscDraft:
    request = CreateDiscRequest(disc=Disc(**{**GOOD, **changes}), opening_stock=opening_stock)
    return mapping.draft_from_proto(request)


def edit(*paths: str, **values: Any) -> DiscEdit:
    disc = Disc(**{"id": ID, **values})
    return mapping.edit_from_proto(UpdateDiscRequest(disc=disc, update_mask=FieldMask(paths=paths)))


def values_of(read: DiscEdit) -> dict[str, Any]:
    return {field: getattr(read, field) for field in GOOD}


def bad_fields(refused: pytest.ExceptionInfo[InvalidArgument]) -> list[str]:
    return [violation.field for violation in refused.value.violations]


def test_a_draft_holds_what_was_sent() -> None:
    read = draft()
    assert {field: getattr(read, field) for field in GOOD} == GOOD
    assert read.opening_stock == 500


def test_a_draft_without_an_id_gets_a_new_one_each_time() -> None:
    assert draft().id != draft().id


def test_two_drafts_have_one_fingerprint_only_if_their_content_is_equal() -> None:
    changes = {"name": "We are reactive", "artist": "H", "year_of_release": 2021, "genre": "Pop", "price_cents": 0}
    others = [draft(**{field: value}).fingerprint for field, value in changes.items()]
    assert draft().fingerprint == draft(id=ID, etag="7", stock=3).fingerprint
    assert len({draft().fingerprint, draft(opening_stock=0).fingerprint, *others}) == 7


def test_texts_that_run_together_are_still_told_apart() -> None:
    assert draft(name="ab", artist="c").fingerprint != draft(name="a", artist="bc").fingerprint
    assert draft(name='a", "b', artist="c").fingerprint != draft(name="a", artist='b", "c').fingerprint


def test_all_bad_fields_of_a_new_disc_are_named_at_once() -> None:
    with pytest.raises(InvalidArgument) as refused:
        mapping.draft_from_proto(CreateDiscRequest(disc_id="42", opening_stock=-1, disc=Disc(price_cents=-1)))
    assert bad_fields(refused) == ["disc_id", "opening_stock", *(f"disc.{field}" for field in GOOD)]


def test_a_request_without_a_disc_hears_just_that() -> None:
    with pytest.raises(InvalidArgument) as refused:
        mapping.draft_from_proto(CreateDiscRequest(disc_id="42"))
    assert bad_fields(refused) == ["disc_id", "disc"]
    with pytest.raises(InvalidArgument) as refused:
        mapping.edit_from_proto(UpdateDiscRequest(update_mask=FieldMask(paths=["name", "label"])))
    assert bad_fields(refused) == ["update_mask", "disc"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, bad) for field in ("name", "artist", "genre") for bad in ("", " \t\n\u3000", "a\0b")),
        ("name", "n" * 201),
        ("artist", "名" * 201),
        ("genre", "g" * 101),
        ("year_of_release", 0),
        ("year_of_release", 1859),
        ("year_of_release", 2101),
        ("year_of_release", -(2**31)),
        ("price_cents", -1),
        ("price_cents", 100_000_001),
        ("price_cents", 2**63 - 1),
    ],
)
def test_a_value_out_of_bounds_is_refused_under_its_path(field: str, value: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        draft(**{field: value})
    assert bad_fields(refused) == [f"disc.{field}"]
    with pytest.raises(InvalidArgument) as refused:
        edit(field, **{field: value})
    assert bad_fields(refused) == [f"disc.{field}"]


@pytest.mark.parametrize("opening_stock", [-1, 1_000_000_001])
def test_an_opening_stock_out_of_bounds_is_refused(opening_stock: int) -> None:
    with pytest.raises(InvalidArgument) as refused:
        draft(opening_stock=opening_stock)
    assert bad_fields(refused) == ["opening_stock"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "名" * 200),
        ("artist", "a" * 200),
        ("genre", "g" * 100),
        ("year_of_release", 1860),
        ("year_of_release", 2100),
        ("price_cents", 0),
        ("price_cents", 100_000_000),
    ],
)
def test_a_value_at_its_bound_is_taken(field: str, value: Any) -> None:
    assert getattr(draft(**{field: value}), field) == value
    assert getattr(edit(field, **{field: value}), field) == value


def test_an_edit_reads_only_what_the_mask_names() -> None:
    read = edit("name", "price_cents", name="New", artist="\0", year_of_release=-1)
    nothing_else = {"artist": None, "year_of_release": None, "genre": None}
    assert values_of(read) == {"name": "New", "price_cents": 0, **nothing_else}


def test_an_edit_without_a_mask_changes_what_is_not_at_its_default() -> None:
    assert values_of(edit(name="New", price_cents=0)) == {**dict.fromkeys(GOOD), "name": "New"}
    assert values_of(edit()) == dict.fromkeys(GOOD)


def test_a_star_means_all_fields_also_those_at_their_default() -> None:
    assert values_of(edit("*", **{**GOOD, "price_cents": 0})) == {**GOOD, "price_cents": 0}
    with pytest.raises(InvalidArgument) as refused:
        edit("*", price_cents=1)
    assert bad_fields(refused) == ["disc.name", "disc.artist", "disc.year_of_release", "disc.genre"]


def test_an_edit_names_all_that_is_wrong_with_it_at_once() -> None:
    with pytest.raises(InvalidArgument) as refused:
        edit("id", "nmae", "name", "genre", id="7", etag="e" * 65)
    assert bad_fields(refused) == ["update_mask", "update_mask", "disc.id", "disc.etag", "disc.name", "disc.genre"]


@pytest.mark.parametrize("path", ["id", "stock", "etag", "delete_time", "disc.name", "name.first", "", "NAME", "a\0"])
def test_a_path_that_is_no_field_to_edit_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        edit(path)
    assert bad_fields(refused) == ["update_mask"]


def test_a_delete_names_all_that_is_wrong_with_it_at_once() -> None:
    with pytest.raises(InvalidArgument) as refused:
        mapping.deletion_from_proto(DeleteDiscRequest(id="", etag="\0"))
    assert bad_fields(refused) == ["id", "etag"]
    assert mapping.deletion_from_proto(DeleteDiscRequest(id=ID, etag="7")) == (UUID(ID), "7")


@pytest.mark.parametrize("value", ["", "x", ID.replace("-", ""), f"{{{ID}}}", f"{ID}\n", f"urn:uuid:{ID}"])
def test_an_id_is_a_uuid_in_its_canonical_form(value: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        mapping.id_from_proto(GetDiscRequest(id=value))
    assert bad_fields(refused) == ["id"]


def test_a_batch_is_one_to_a_thousand_ids_and_each_bad_one_is_named_by_its_place() -> None:
    for ids in ([], [ID] * 1_001):
        with pytest.raises(InvalidArgument) as refused:
            mapping.ids_from_proto(BatchGetDiscsRequest(ids=ids), count_max=1_000)
        assert bad_fields(refused) == ["ids"]
    with pytest.raises(InvalidArgument) as refused:
        mapping.ids_from_proto(BatchGetDiscsRequest(ids=["x", ID, ""]), count_max=1_000)
    assert bad_fields(refused) == ["ids[0]", "ids[2]"]
    assert mapping.ids_from_proto(BatchGetDiscsRequest(ids=[ID] * 1_000), count_max=1_000) == [UUID(ID)] * 1_000


def test_a_disc_is_answered_with_every_field() -> None:
    moment = datetime(2022, 3, 4, 5, 6, 7, 8_000, UTC)
    times: dict[str, Any] = {"create_time": moment, "update_time": moment, "delete_time": moment}
    answered = mapping.disc_to_proto(KeptDisc(id=UUID(ID), **GOOD, stock=499, version=3, **times))
    assert len(answered.ListFields()) == len(Disc.DESCRIPTOR.fields)
    assert answered.delete_time.ToDatetime(tzinfo=UTC) == moment
    times["delete_time"] = None
    assert not mapping.disc_to_proto(KeptDisc(id=UUID(ID), **GOOD, stock=0, version=1, **times)).HasField("delete_time")
