"""Write darts' ONNX file of the same network; runs in the environment that has darts.

python benchmarks/peers/darts_file.py FOLDER HIDDEN ...

Its RNNModel is an LSTM and a linear layer too. One target and seven covariates are 8 inputs; it is fitted briefly,
because only this creates its module, and then gets the weights of all peers.
"""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from darts import TimeSeries  # noqa: E402
from darts.models import RNNModel  # noqa: E402

FEATURES, STEPS = 8, 64
NAMES = {"lstm": "rnn", "head": "V"}
QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "logger": False}


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    target, covariates = (
        TimeSeries.from_values(rng.normal(size=(STEPS + 8, n)).astype(np.float32)) for n in (1, FEATURES - 1)
    )
    for hidden in sys.argv[2:]:
        folder = Path(sys.argv[1]) / hidden
        model = RNNModel(
            input_chunk_length=STEPS - 1,
            training_length=STEPS,
            model="LSTM",
            hidden_dim=int(hidden),
            n_epochs=1,
            pl_trainer_kwargs=QUIET,
        )
        model.fit(target, future_covariates=covariates)
        weights = np.load(folder / "weights.npz").items()
        renamed = {f"{NAMES[name.split('.')[0]]}.{name.split('.')[1]}": torch.from_numpy(w) for name, w in weights}
        model.model.load_state_dict(renamed)
        model.to_onnx(str(folder / "darts.onnx"))
        print(folder / "darts.onnx", flush=True)


if __name__ == "__main__":
    main()
