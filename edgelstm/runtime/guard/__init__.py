"""Keep bad samples out of a stream, count them, and say how far they are from training."""
