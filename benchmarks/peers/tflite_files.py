"""Convert the weights to LiteRT files with the fused LSTM; runs in the environment that has tensorflow.

python benchmarks/peers/tflite_files.py FOLDER HIDDEN NAME WHAT STREAMS ...

Only legacy Keras gives the fused operator. The operator keeps its state between calls until it is reset, so that the
file of one step is stepped, and a window needs a reset.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
import tf_keras as keras

FEATURES, STEPS = 8, 64


def keras_weights(weights: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Convert torch's weights: Keras has the same gates i f g o, but transposed matrices and one bias."""
    bias = weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"]
    lstm = [weights["lstm.weight_ih_l0"].T, weights["lstm.weight_hh_l0"].T, bias]
    return [*lstm, weights["head.weight"].T, weights["head.bias"]]


def convert(weights: dict[str, np.ndarray], hidden: int, steps: int, streams: int, quantized: bool) -> bytes:
    x = keras.Input((steps, FEATURES), batch_size=streams)
    y = keras.layers.Dense(1)(keras.layers.LSTM(hidden)(x))
    model = keras.Model(x, y)
    model.set_weights(keras_weights(weights))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def main() -> None:
    folder = Path(sys.argv[1])
    for hidden, name, what, streams in zip(*[iter(sys.argv[2:])] * 4, strict=True):
        weights = dict(np.load(folder / hidden / "weights.npz"))
        for precision in ("fp32", "int8"):
            place = folder / hidden / f"{name}.{precision}.tflite"
            if not place.exists():
                steps = 1 if what == "step" else STEPS
                place.write_bytes(convert(weights, int(hidden), steps, int(streams), precision == "int8"))
                print(place.name, flush=True)


if __name__ == "__main__":
    main()
