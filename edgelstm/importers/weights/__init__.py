"""Bare weights of PyTorch, without their module: only a file that `torch.save` wrote needs torch."""
