"""A training that leaves nothing to rules, and begins with no line: what tests of the loop itself are about."""

from __future__ import annotations

NETWORK = {"segment": 1, "dropout": 0.0, "scaling": "standard", "start": "none"}
TRAINING = {"batch_size": 32, "learning_rate": 1e-3, "schedule": "constant", "average": 0.0, "threads": 1}
OPTIONS = {**NETWORK, **TRAINING}
