"""What became of loans: labels, months at risk, and divisions in time."""
