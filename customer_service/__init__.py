"""The customers: the people who buy, and whether they may."""
