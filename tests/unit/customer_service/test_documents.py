"""What is kept of a document says nothing without the key, and opens for its own customer alone."""

import base64
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidTag

from customer_service.documents import KEY_FOR_TRYING_OUT, DocumentKeyMissing, Documents, read_keys
from customer_service.errors import DocumentsNotReady

DOCUMENT, OTHER = "52998224725", "11144477735"
OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def of(*secrets: bytes) -> Documents:
    return Documents(secrets, is_ready=True)


def test_a_document_is_opened_with_its_key_for_its_customer() -> None:
    customer_id = uuid4()
    sealed = of(OLD).seal(customer_id, DOCUMENT)
    assert DOCUMENT.encode() not in sealed
    assert of(OLD).open(customer_id, sealed) == DOCUMENT
    assert of(NEW, OLD).open(customer_id, sealed) == DOCUMENT


def test_equal_documents_have_equal_hashes_and_are_sealed_in_different_ways() -> None:
    customer_id = uuid4()
    assert of(OLD).hash(DOCUMENT) == of(OLD).hash(DOCUMENT) != of(OLD).hash(OTHER)
    assert of(OLD).seal(customer_id, DOCUMENT) != of(OLD).seal(customer_id, DOCUMENT)


def test_a_hash_and_a_fingerprint_are_others_with_another_key() -> None:
    assert of(OLD).hash(DOCUMENT)[4:] != of(NEW).hash(DOCUMENT)[4:]
    assert of(OLD).fingerprints(bytes(32))[0] not in (bytes(32), of(NEW).fingerprints(bytes(32))[0])


def test_what_was_sealed_for_one_customer_does_not_open_for_another() -> None:
    sealed = of(OLD).seal(uuid4(), DOCUMENT)
    with pytest.raises(InvalidTag):
        of(OLD).open(uuid4(), sealed)


@pytest.mark.parametrize("place", [-1, 10, 20])
def test_what_was_changed_does_not_open(place: int) -> None:
    customer_id = uuid4()
    changed = bytearray(of(OLD).seal(customer_id, DOCUMENT))
    changed[place] ^= 1
    with pytest.raises(InvalidTag):
        of(OLD).open(customer_id, bytes(changed))


def test_without_its_key_a_document_is_lost() -> None:
    customer_id = uuid4()
    with pytest.raises(DocumentKeyMissing):
        of(NEW).open(customer_id, of(OLD).seal(customer_id, DOCUMENT))


def test_the_first_key_seals_and_its_id_stands_before_all_it_makes() -> None:
    documents = of(NEW, OLD)
    assert documents.key_id == of(NEW).key_id != of(OLD).key_id
    assert documents.hash(DOCUMENT).startswith(documents.key_id)
    assert documents.seal(uuid4(), DOCUMENT).startswith(documents.key_id)


def test_a_customer_who_was_created_under_the_earlier_key_is_known_after_it_was_sealed_anew() -> None:
    created = of(OLD).fingerprints(bytes(32))[0]
    _, _, resealed = of(NEW, OLD).resealed(uuid4(), DOCUMENT, created)
    assert resealed in of(NEW, OLD).fingerprints(bytes(32))


def test_nothing_is_looked_for_before_everything_is_sealed() -> None:
    with pytest.raises(DocumentsNotReady):
        Documents([OLD]).hash(DOCUMENT)


def test_keys_are_read_from_lines_and_the_one_for_trying_out_opens_what_it_sealed(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(base64.b64encode(NEW) + b"\n" + base64.b64encode(OLD) + b"\n")
    assert read_keys(file) == [NEW, OLD, KEY_FOR_TRYING_OUT]
    assert read_keys(None) == [KEY_FOR_TRYING_OUT]


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"short", base64.b64encode(OLD[:31]), base64.b64encode(OLD) + b"!", b"x" * 44]
)
def test_a_file_that_holds_something_else_is_told_without_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(ValueError) as refused:
        read_keys(file)
    assert not content.strip() or content.decode() not in str(refused.value)
