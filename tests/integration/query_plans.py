"""How PostgreSQL would run a statement: with the values at hand, and as a generic plan for any values."""

import json
from collections.abc import Iterator
from typing import Any

import asyncpg

PLAN_MODES = ("force_custom_plan", "force_generic_plan")


async def plan_of(connection: asyncpg.Connection, mode: str, statement: str, *values: object) -> dict[str, Any]:
    """Explain a statement with $1, $2 ... under one of PLAN_MODES, as a prepared statement of a service is run."""
    await connection.execute(f"SET plan_cache_mode = {mode}")
    await connection.execute(f"PREPARE explained AS {statement}")
    try:
        literals = ", ".join(map(_literal, values))
        answer = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE explained ({literals})")
    finally:
        await connection.execute("DEALLOCATE explained")
    plan: dict[str, Any] = json.loads(answer)[0]["Plan"]
    return plan


def sequential_scans(plan: dict[str, Any]) -> list[str]:
    """Return the tables that a plan reads from one end to the other."""
    return [node["Relation Name"] for node in _nodes(plan) if node["Node Type"].endswith("Seq Scan")]


def sorts(plan: dict[str, Any]) -> list[Any]:
    """Return by what a plan sorts; a walk along an index sorts nothing."""
    return [node["Sort Key"] for node in _nodes(plan) if node["Node Type"].endswith("Sort")]


def joins(plan: dict[str, Any]) -> list[str]:
    """Return how a plan joins: a nested loop asks an index for each row, the others go through all of it."""
    return [node["Node Type"] for node in _nodes(plan) if node["Node Type"].endswith(("Join", "Nested Loop"))]


def indexes(plan: dict[str, Any]) -> list[str]:
    """Return the indexes that a plan walks along."""
    return [node["Index Name"] for node in _nodes(plan) if "Index Name" in node]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _literal(value: object) -> str:
    if value is None or isinstance(value, int):
        return "NULL" if value is None else str(value)
    if isinstance(value, list):
        return "ARRAY[" + ", ".join(map(_literal, value)) + "]::uuid[]"
    text = str(value)
    assert "'" not in text
    return f"'{text}'"
