"""Makes the Python stubs of all protos: `python protos/generate.py` writes them into the package `recordshop`."""

import shutil
import sys
from pathlib import Path

from grpc_tools import _proto, protoc

PROTOS = Path(__file__).resolve().parent
ROOT = PROTOS.parent


def _plugin(name: str) -> str:
    beside_python = Path(sys.executable).with_name(name)
    found = str(beside_python) if beside_python.exists() else shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is missing: pip install mypy-protobuf")
    return f"--plugin={name}={found}"


def generate() -> None:
    """Writes `*_pb2.py`, `*_pb2_grpc.py` and their types beside `recordshop/`; raises SystemExit if a proto is wrong."""
    sources = sorted(PROTOS.glob("recordshop/*/v1/*.proto"))
    for folder in sorted({source.parent for source in sources}):
        package = ROOT / folder.relative_to(PROTOS)
        package.mkdir(parents=True, exist_ok=True)
        for made in (package.parent, package):
            (made / "__init__.py").write_text('"""Generated from the protos."""\n')
    outcome = protoc.main(
        [
            "protoc",
            f"-I{PROTOS}",
            f"-I{_proto.__path__[0]}",
            _plugin("protoc-gen-mypy"),
            _plugin("protoc-gen-mypy_grpc"),
            *(f"--{kind}_out={ROOT}" for kind in ("python", "grpc_python")),
            *(f"--{kind}_out=quiet:{ROOT}" for kind in ("mypy", "mypy_grpc")),
            *map(str, sources),
        ]
    )
    if outcome != 0:
        raise SystemExit("protoc refused the protos")


if __name__ == "__main__":
    generate()
