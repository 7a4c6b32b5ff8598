"""How stock is taken, given back, moved and counted."""
