"""Modules and weights of PyTorch: as layers where a module is nothing else, as a foreign graph where it is."""
