"""Builds the stubs; everything else stands in pyproject.toml."""

import runpy
from pathlib import Path

from setuptools import setup

# Before anything else, because setuptools wants to see all packages even where it only asks what the build needs.
runpy.run_path(str(Path(__file__).parent / "protos" / "generate.py"))["generate"]()

setup()
