"""Measures the hot path against its baselines, in the same run and on the same PostgreSQL: `python -m benchmarks`."""
