"""The configurations of ghz, without ghz."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.load import run

FOLDER = Path(__file__).parents[2] / "load"
ROOT = FOLDER.parents[1]
CALLS = ("create_order", "get_disc", "list_discs")


def read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_each_call_is_there_by_reflection_and_by_proto_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {
        f"{call}.{way}" for call in CALLS for way in ("proto", "reflection")
    }


@pytest.mark.parametrize("call", CALLS)
def test_both_ways_differ_in_nothing_but_the_proto_file(call: str) -> None:
    by_proto, by_reflection = read(f"{call}.proto"), read(f"{call}.reflection")
    assert (ROOT / by_proto.pop("proto")).is_file()
    assert by_proto.pop("import-paths") == ["protos"]
    assert by_proto.pop("name") != by_reflection.pop("name")
    assert by_proto == by_reflection


@pytest.mark.parametrize("way", ["proto", "reflection"])
def test_every_order_has_a_request_id_of_its_own(way: str) -> None:
    assert read(f"create_order.{way}")["data"]["request_id"] == "{{newUUID}}"


def test_without_a_shop_the_runner_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run, "SHOP_ENV", tmp_path / "shop.env")
    monkeypatch.delenv("CATALOG_ADDR", raising=False)
    monkeypatch.setenv("ORDER_ADDR", "127.0.0.1:1")
    with pytest.raises(SystemExit, match="There is no CATALOG_ADDR: start the shop with `make run`"):
        run.read_addresses()


def test_the_shop_of_make_run_is_the_one_that_is_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run, "SHOP_ENV", tmp_path / "shop.env")
    for name in ("CATALOG_ADDR", "ORDER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    run.SHOP_ENV.write_text("CATALOG_ADDR=127.0.0.1:1\nORDER_ADDR=127.0.0.1:3\n", encoding="utf-8")
    addresses = run.read_addresses()
    assert (addresses["CATALOG_ADDR"], addresses["ORDER_ADDR"]) == ("127.0.0.1:1", "127.0.0.1:3")
