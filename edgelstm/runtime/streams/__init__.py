"""Step a model file sample by sample, one stream or many."""
