"""Writes the pages that are made from the sources: `python -m docs.generate`; `make docs` calls it."""

from docs.generate.pages import PAGES


def main() -> None:
    """Write every page that is not current, and name it."""
    for path, render in PAGES.items():
        text = render()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: docs/{path.name}")


if __name__ == "__main__":
    main()
