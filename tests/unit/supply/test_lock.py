"""requirements.lock is what pyproject.toml asks for in the image, each package by its hashes, and the image is made of it."""

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from supply.sbom import canonical

ROOT = Path(__file__).parents[3]
LOCKS = ("requirements.lock", "supply/auditor.lock")
# What the image has beside the services' own dependencies: migrations run in it, and traces are sent from it.
EXTRAS_IN_THE_IMAGE = ("migrate", "otel")
ENTRY = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\\n]+?))? \\\n"
    r"(?P<hashes>(?:    --hash=\S+(?: \\)?\n)+)(?P<via>(?:    #.*\n)+)",
    re.MULTILINE,
)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}(?: \\)?")
PIN = re.compile(r"([\w.-]+)==([^\s;]+)")
# Who wants a package: the project's file, or other packages.
ASKED_FOR = ("record-shop (pyproject.toml)", "-r supply/auditor.in")


class Entry(NamedTuple):
    """A package of a lock file: its version, its hashes as they are written, and who wants it."""

    version: str
    hashes: list[str]
    wanted_by: list[str]


def read_lock(name: str) -> dict[str, Entry]:
    text = (ROOT / name).read_text(encoding="utf-8")
    found = {
        entry["name"]: Entry(
            entry["version"],
            [line.strip() for line in entry["hashes"].splitlines()],
            [line.strip(" #").removeprefix("via").strip() for line in entry["via"].splitlines()],
        )
        for entry in ENTRY.finditer(text)
    }
    # Nothing stands between the entries: no option, no other index, no package without a hash.
    rest = [line for line in ENTRY.sub("", text).splitlines() if line.strip() and not line.startswith("#")]
    assert not rest
    return found


def project() -> dict[str, list[str]]:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"": asked["dependencies"], **asked["optional-dependencies"]}


def asked_for_in_the_image() -> list[str]:
    asked = project()
    return [*asked[""], *[requirement for extra in EXTRAS_IN_THE_IMAGE for requirement in asked[extra]]]


@pytest.mark.parametrize("requirement", asked_for_in_the_image())
def test_the_lock_has_what_the_image_is_asked_to_have_in_the_same_version(requirement: str) -> None:
    pinned = PIN.match(requirement)
    assert pinned, f"{requirement} is not pinned"
    assert read_lock("requirements.lock")[canonical(pinned[1])].version == pinned[2]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_its_hashes(lock: str) -> None:
    for name, entry in read_lock(lock).items():
        assert all(HASH.fullmatch(line) for line in entry.hashes), name


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_there_because_another_one_or_the_project_wants_it(lock: str) -> None:
    locked = read_lock(lock)
    for name, entry in locked.items():
        wanting = [who for who in entry.wanted_by if who]
        assert wanting, name
        assert all(who in ASKED_FOR or who in locked for who in wanting), name


def test_the_lock_has_nothing_of_the_project_that_the_image_is_not_asked_to_have() -> None:
    asked = {canonical(found[1]) for found in map(PIN.match, asked_for_in_the_image()) if found}
    direct = {name for name, entry in read_lock("requirements.lock").items() if ASKED_FOR[0] in entry.wanted_by}
    assert direct == asked


def test_the_image_is_made_of_the_lock() -> None:
    dockerfile = (ROOT / "compose" / "Dockerfile").read_text(encoding="utf-8")
    installs = re.findall(r"install (.*)$", dockerfile, re.MULTILINE)
    assert installs == [
        "--require-hashes --only-binary :all: --requirement requirements.lock",
        # The shop itself.
        "--no-deps --no-index /wheels/*.whl",
    ]
