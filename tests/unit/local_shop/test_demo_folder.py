"""Folders of demos: gone with their demo, or with the next one."""

from pathlib import Path

import pytest

from local_shop.demo_folder import DemoFolder
from local_shop.errors import LocalShopError


def folders(shop_dir: Path) -> list[Path]:
    return sorted(shop_dir.glob("demo-*"))


def test_a_demo_removes_what_a_killed_one_left_but_not_what_another_one_uses(tmp_path: Path) -> None:
    (tmp_path / "demo-left_behind" / "postgres").mkdir(parents=True)
    with DemoFolder(tmp_path) as first:
        with DemoFolder(tmp_path) as second:
            assert folders(tmp_path) == sorted([first.path, second.path])
        assert folders(tmp_path) == [first.path]
    assert folders(tmp_path) == []


def test_what_may_tell_why_a_demo_failed_stays_until_the_next_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = DemoFolder(tmp_path)
    with pytest.raises(LocalShopError), failed:
        raise LocalShopError("no shop")
    assert str(failed.path) in capsys.readouterr().out
    with DemoFolder(tmp_path) as wrong:
        assert folders(tmp_path) == [wrong.path]
        wrong.keep = True
    assert folders(tmp_path) == [wrong.path]


def test_an_interrupted_demo_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), DemoFolder(tmp_path):
        raise KeyboardInterrupt
    assert folders(tmp_path) == []
