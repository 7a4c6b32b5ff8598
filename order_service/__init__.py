"""Orders: taken in once, decided by the catalog, and driven to their end whatever happens."""
