"""What can be asked of the service: decisions, quotes, overrides, outcomes, search."""
