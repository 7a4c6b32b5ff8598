"""Builds the stubs before the packages are collected; everything else stands in pyproject.toml."""

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildStubsThenPackages(build_py):
    """Runs protoc first, so that a wheel always holds the stubs of its own protos."""

    def run(self) -> None:
        """Generates the stubs into the source tree and builds as usual."""
        runpy.run_path(str(Path(__file__).parent / "protos" / "generate.py"))["generate"]()
        super().run()


setup(cmdclass={"build_py": BuildStubsThenPackages})
