from uuid import UUID

import pytest
from google.rpc import error_details_pb2

from service_runtime.errors import MISSING_IDS_MAX, InvalidArgument, NotFound, ServiceError, Violation, missing_ids

# What grpc's clients take by default, with some room for the metadata that every answer has.
TRAILERS_SIZE_MAX_BYTES = 8 * 1024 - 256


def size_on_the_wire(error: ServiceError) -> int:
    return len(error.message.encode()) + error.to_status().ByteSize()


def bad_lines(count: int) -> list[Violation]:
    return [Violation(f"lines[{index}].quantity", "must be from 1 to 1,000") for index in range(count)]


def test_a_request_with_fifty_bad_lines_hears_of_each() -> None:
    error = InvalidArgument(bad_lines(50))
    bad_request = error_details_pb2.BadRequest()
    assert error.details()[1].Unpack(bad_request)
    assert len(bad_request.field_violations) == 50


@pytest.mark.parametrize("count", [1, 50, 100, 1_000, 100_000])
def test_an_answer_about_many_bad_fields_fits_into_the_metadata_that_clients_take(count: int) -> None:
    assert size_on_the_wire(InvalidArgument(bad_lines(count))) <= TRAILERS_SIZE_MAX_BYTES


def test_the_message_says_how_many_bad_fields_it_leaves_out() -> None:
    error = InvalidArgument(bad_lines(1_000))
    named = error.message.count("lines[")
    assert error.message.endswith(f"; and {1_000 - named} more")


def test_the_message_names_a_few_bad_fields_completely() -> None:
    error = InvalidArgument([Violation("name", "is required"), Violation("phone", "is required")])
    assert error.message == "name: is required; phone: is required"


def test_an_answer_about_many_missing_ids_names_those_that_fit_and_counts_all() -> None:
    ids = [UUID(int=number) for number in range(1, 1_001)]
    error = NotFound(missing_ids("disc_id", ids))
    assert error.metadata["missing"] == "1000"
    assert error.metadata["disc_id"].split(",") == [str(missing) for missing in ids[:MISSING_IDS_MAX]]
    assert size_on_the_wire(error) <= TRAILERS_SIZE_MAX_BYTES
