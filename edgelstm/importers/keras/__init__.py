"""Keras files: `.keras` and HDF5, read with h5py alone."""
