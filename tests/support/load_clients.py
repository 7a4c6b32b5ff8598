"""Which of the benchmark's clients are here, the lightest first; ghz can be built wherever Go is."""

import shutil

CLIENTS = ("h2load", "ghz") if shutil.which("h2load") else ("ghz",)
