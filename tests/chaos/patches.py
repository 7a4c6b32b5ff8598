"""Rules taken away, one at a time, in a process of the harness' own: nothing of this is in the services."""

import importlib

PATCHES = {
    "order_service": "tests.chaos.patches_order",
    "catalog_service": "tests.chaos.patches_catalog",
}


def apply(mutant: str, service: str) -> None:
    """Breaks a rule in this process, if the service has a part in it."""
    if service in PATCHES:
        patch = importlib.import_module(PATCHES[service]).MUTANTS.get(mutant)
        if patch is not None:
            patch()


def put(owner: object, name: str, value: object) -> None:
    """Puts something in the place of a function or a statement that must be there."""
    if not hasattr(owner, name):
        raise LookupError(f"{owner} has no {name} any more: the mutant must follow")
    setattr(owner, name, value)


def cut_out(owner: object, name: str, text: str, instead: str) -> None:
    """Changes a statement; a text that is not in it any more is an error, so that no mutant is none."""
    statement = str(getattr(owner, name))
    if text not in statement:
        raise LookupError(f"{text!r} is not in {name} any more: the mutant must follow")
    put(owner, name, statement.replace(text, instead))
