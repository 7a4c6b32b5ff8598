"""The catalog: the discs that the shop sells, and how many copies of each are left."""
