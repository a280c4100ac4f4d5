"""What is decided of one application, and what it is told: pure."""
