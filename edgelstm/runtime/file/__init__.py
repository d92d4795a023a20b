"""Read and check a model file before anything runs it."""
