"""Keep bad samples out of a stream, count them, and measure the drift from training."""
