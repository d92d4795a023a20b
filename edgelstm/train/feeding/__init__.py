"""The training data in batches: windows, whole sequences, or chunks of series with a carried state."""
