"""What is learned from, batch by batch: windows, whole sequences, or chunks of series whose state is carried on."""
