"""The network in torch: its layers, the network itself, and the simulation of its int8 file."""
