"""The estimator: trees, tables, calibration, and the ways to write it down."""
