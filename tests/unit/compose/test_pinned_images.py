"""Every image that is pulled has a digest: in compose/images.env, or where it is named."""

import re
from pathlib import Path

import pytest

COMPOSE = Path(__file__).parents[3] / "compose"
DIGEST = "@sha256:[0-9a-f]{64}"
# What stands for an image where nothing is pinned, and of what it is a version that is.
USUAL = {"POSTGRES_IMAGE": "postgres:18", "PYTHON_IMAGE": "python:3.13-slim"}
PINNED = {
    "POSTGRES_IMAGE": rf"# postgres:18\.\d+\nPOSTGRES_IMAGE=postgres{DIGEST}\n",
    "PYTHON_IMAGE": rf"# python:3\.13\.\d+-slim-\w+\nPYTHON_IMAGE=python{DIGEST}\n",
}
FILES = sorted(COMPOSE.glob("*.yaml"))


def test_the_file_pins_each_image_that_has_a_variable_to_a_version_of_what_it_is_else() -> None:
    text = (COMPOSE / "images.env").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=", text, re.MULTILINE)) == USUAL.keys()
    for pinned in PINNED.values():
        assert len(re.findall(f"^{pinned}", text, re.MULTILINE)) == 1


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_no_image_is_pulled_that_is_not_pinned(file: Path) -> None:
    for image in re.findall(r"^ +image: (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE):
        variable = re.fullmatch(r"\$\{(\w+):-(.*)\}", image)
        if variable is None:
            # Not with a tag too, which compose takes and its specification does not: the version is told beside it.
            assert re.fullmatch(rf"[\w./-]+{DIGEST}  # v?\d+\.\d+\.\d+", image)
        elif variable[1] != "SHOP_IMAGE":  # Built here, and never pulled.
            assert variable[2] == USUAL[variable[1]]


def test_the_image_is_built_from_what_the_file_pins() -> None:
    usual = USUAL["PYTHON_IMAGE"]
    assert f"PYTHON_IMAGE: ${{PYTHON_IMAGE:-{usual}}}\n" in (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    assert f"ARG PYTHON_IMAGE={usual}\n" in (COMPOSE / "Dockerfile").read_text(encoding="utf-8")
