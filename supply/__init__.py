"""What the shop is built from."""
