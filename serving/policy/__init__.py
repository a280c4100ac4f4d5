"""What the bank allows, to whom and at what price: policies as data."""
