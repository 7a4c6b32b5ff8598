"""The page of the API: every method, every message and every reason, and links that lead somewhere."""

import re
from pathlib import Path

import pytest

from docs.generate.api import render
from docs.generate.protos import read_protos
from docs.generate.reasons import readme_rows, reasons_of

ROOT = Path(__file__).parents[3]
SERVICES = ("catalog", "customer", "order")
DECLARED = re.compile(r'^    reason = "([A-Z_]+)"', re.MULTILINE)


@pytest.fixture(scope="module")
def page() -> str:
    return render()


def errors_section(page: str, service: str) -> str:
    _, _, after = page.partition(f"### Errors of the {service} service\n")
    return after.partition("\n#")[0]


@pytest.mark.parametrize("service", SERVICES)
def test_every_reason_that_a_service_declares_is_told_with_what_to_do(page: str, service: str) -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / f"{service}_service").rglob("*.py")]
    declared = {reason for source in sources for reason in DECLARED.findall(source)}
    rows = [line.split(" | ") for line in errors_section(page, service).splitlines()[3:]]
    told = {re.sub(r"<[^>]*>|[`| ]", "", reason): what_to_do for reason, _, _, what_to_do in rows}
    assert declared
    assert declared <= set(told)
    assert {"INTERNAL", "INVALID_ARGUMENT", "NOT_ACCEPTED", "OVERLOADED"} <= set(told)
    assert all(told.values())


def test_the_readme_has_no_reason_that_nobody_answers() -> None:
    answered = {(reason.name, reason.code) for service in SERVICES for reason in reasons_of(service)}
    assert set(readme_rows()) == answered


def test_a_service_is_not_said_to_answer_what_only_others_do() -> None:
    assert "ETAG_MISMATCH" not in {reason.name for reason in reasons_of("order")}
    assert "WATCH_ENDED" not in {reason.name for reason in reasons_of("customer")}


def test_everything_in_the_protos_has_a_heading_and_a_comment(page: str) -> None:
    for file in read_protos():
        names = [name for names in (file.messages(), file.enums()) for name, *_ in names]
        methods = [f"{service.name}.{method.name}" for service, _ in file.services() for method in service.method]
        assert methods or names
        for name in [*names, *methods]:
            _, heading, after = page.partition(f'<a id="{file.package}.{name}"></a>')
            assert heading, name
            assert re.match(r"\w+\n\n(Takes .*\n\n)?\w", after), name
    assert "|  |" not in page


def test_streams_maps_and_choices_are_told_as_such(page: str) -> None:
    assert "Takes a stream of [PlaceOrdersRequest]" in page
    assert "answers a stream of [Order]" in page
    assert "| `metadata` | map of string to string |" in page
    assert "| `stock_left` | optional int64 |" in page
    assert re.search(r"\| `partial` \| string \| One of `match`\. ", page)
