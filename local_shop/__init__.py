"""The whole shop on one machine without Docker: PostgreSQL, its roles and migrations, and the three services."""
