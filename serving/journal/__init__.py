"""What was decided, for good: durable, under a hash tree, sealed and erasable."""
