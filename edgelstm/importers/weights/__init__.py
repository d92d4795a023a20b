"""Bare weights of PyTorch, without their module; only files of `torch.save` need torch."""
