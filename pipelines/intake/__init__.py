"""Delivered feeds into the store: checked row by row, committed whole, the broken set aside."""
