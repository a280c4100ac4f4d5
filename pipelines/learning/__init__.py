"""Train, judge, publish and take back scorers."""
