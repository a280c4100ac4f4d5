"""What promotion publishes and the service reads: scorer, policy and their proof."""
