"""The pages of docs/ that are made from the sources: `make docs` writes them, and a test holds them against what it would write."""
