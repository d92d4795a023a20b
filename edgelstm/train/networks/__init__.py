"""The network in torch: what it is made of, itself, and as its int8 file computes."""
