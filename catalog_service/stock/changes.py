"""What moves a disc's stock counts the move, and keeps it for those who watch."""

# The part of every statement that moves stock: `moved` is its UPDATE of discs, which raises their revision by one. Whoever moves a disc's
# stock holds the disc's lock, so that its moves are written here one after the other; see db/catalog/0006_stock_changes.sql.
KEEP_CHANGES = """
INSERT INTO stock_changes (disc_id, revision, stock)
SELECT id, revision, stock FROM moved
ORDER BY id
ON CONFLICT (disc_id, slot) DO UPDATE
SET revision = excluded.revision, stock = excluded.stock, change_time = excluded.change_time
"""
