"""Keras itself, on its torch backend, in a process of its own: `python keras_oracle.py FOLDER`.

It builds models as tutorials write them, gives them random weights, saves each as .keras and as HDF5, and writes
down what they predict: FOLDER/NAME.keras, NAME.h5, and NAME.npz with x and y. It knows nothing of edgelstm.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

EPOCHS = 200
SEEDS = (0, 1, 2)
SEQUENCE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


def main(folder):
    os.environ.update(KERAS_BACKEND="torch", KERAS_HOME=str(folder / "home"))
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    import absl.logging

    absl.logging.set_verbosity(absl.logging.ERROR)
    import numpy as np

    rng = np.random.default_rng(7)
    for name, (model, x) in networks(rng).items():
        randomize(model, rng)
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        np.savez(folder / f"{name}.npz", x=x, y=model.predict(x, verbose=0))
    for name, model in refused().items():
        model.save(folder / f"refused-{name}.keras")
    for seed in SEEDS:
        tutorial(folder, seed)


def randomize(model, rng):
    """Weights of a size at which gates leave their linear range."""
    import numpy as np

    for weight in model.weights:
        if "variance" in weight.path:
            weight.assign(rng.uniform(0.5, 4, weight.shape))
        elif np.dtype(weight.dtype).kind == "f":
            weight.assign(rng.normal(size=weight.shape) * 0.5)
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def tutorial(folder, seed):
    """The first example as people find it, and what it forecasts."""
    import keras
    import numpy as np
    from keras.layers import LSTM, Dense
    from keras.models import Sequential

    keras.utils.set_random_seed(seed)
    X = np.array(SEQUENCE[:5]).reshape((1, 5, 1))
    y = np.array(SEQUENCE[5:])

    model = Sequential()
    model.add(LSTM(50, activation="relu", input_shape=(5, 1)))
    model.add(Dense(1))
    model.compile(optimizer="adam", loss="mse")
    model.fit(X, y, epochs=EPOCHS, verbose=0)
    model.save(folder / f"first-{seed}.keras")
    np.savez(folder / f"first-{seed}.npz", x=X, y=model.predict(X, verbose=0))


def networks(rng):
    """Every kind of network that is read, with windows to predict from."""
    import keras
    import numpy as np
    from keras import Input, Sequential
    from keras import layers as L

    def functional(shape, *layers):
        x = inputs = Input(shape)
        for layer in layers:
            x = layer(x)
        return keras.Model(inputs, x)

    def windows(steps, channels):
        return rng.normal(size=(5, steps, channels)).astype(np.float32)

    def holed(steps, channels, value):
        """Masked at the end, in the middle, at the beginning, throughout, and nowhere; and one channel alone."""
        x = windows(steps, channels)
        x[0, 4:] = x[1, 1:3] = x[2, :2] = x[3] = value
        x[4, 2, 0] = value
        return x

    def tokens(steps, count):
        x = rng.integers(1, count, (5, steps))
        x[0, 4:] = x[1, 1:3] = x[2, :2] = x[3] = 0
        return x

    adapted = L.Normalization()
    adapted.adapt(rng.normal(5, 3, (50, 6, 3)).astype(np.float32))
    x = windows(6, 3)
    many = {
        "tutorial": (Sequential([L.Input((5, 1)), L.LSTM(50, activation="relu"), L.Dense(1)]), windows(5, 1)),
        "stacked": (
            Sequential(
                [
                    Input((6, 3)),
                    L.LSTM(8, return_sequences=True),
                    L.Dropout(0.2),
                    L.LSTM(7, return_sequences=True, dropout=0.1, recurrent_dropout=0.1),
                    L.LSTM(5),
                    L.Dense(4, "relu"),
                    L.Dense(2),
                ]
            ),
            x,
        ),
        "functional": (functional((6, 3), L.LSTM(8, return_sequences=True), L.LSTM(5), L.Dense(2)), x),
        "bidirectional": (Sequential([Input((6, 3)), L.Bidirectional(L.LSTM(8)), L.Dense(2)]), x),
        "bidirectional-stacked": (
            functional((None, 3), L.Bidirectional(L.LSTM(8, return_sequences=True)), L.Bidirectional(L.LSTM(5))),
            x,
        ),
        "bidirectional-sum-and-average": (
            Sequential(
                [
                    Input((6, 3)),
                    L.Bidirectional(L.LSTM(8, return_sequences=True), merge_mode="sum"),
                    L.Bidirectional(L.LSTM(4), merge_mode="ave"),
                ]
            ),
            x,
        ),
        "encoder-decoder": (
            Sequential(
                [
                    Input((6, 3)),
                    L.LSTM(8, activation="relu"),
                    L.RepeatVector(4),
                    L.LSTM(5, activation="relu", return_sequences=True),
                    L.TimeDistributed(L.Dense(2)),
                ]
            ),
            x,
        ),
        "autoencoder": (
            functional(
                (6, 3),
                L.Bidirectional(L.LSTM(8)),
                L.RepeatVector(6),
                L.Bidirectional(L.LSTM(8, return_sequences=True)),
                L.TimeDistributed(L.Dense(3, activation="sigmoid")),
            ),
            x,
        ),
        "masking": (
            Sequential([Input((6, 3)), L.Masking(-1.0), L.LSTM(8, return_sequences=True), L.LSTM(5), L.Dense(2)]),
            holed(6, 3, -1),
        ),
        "masking-bidirectional": (
            functional(
                (None, 3),
                L.Masking(0.0),
                L.Dense(4),
                L.Bidirectional(L.LSTM(8, return_sequences=True)),
                L.Bidirectional(L.LSTM(5)),
            ),
            holed(6, 3, 0),
        ),
        "masking-at-every-step": (
            functional(
                (6, 3),
                L.Masking(),
                L.LSTM(8, return_sequences=True),
                L.LSTM(5, return_sequences=True),
                L.TimeDistributed(L.Dense(2)),
            ),
            holed(6, 3, 0),
        ),
        "masking-backwards": (
            Sequential([Input((6, 3)), L.Masking(-1.0), L.LSTM(8, go_backwards=True), L.Dense(2)]),
            holed(6, 3, -1),
        ),
        "backwards": (
            functional((6, 3), L.LSTM(8, go_backwards=True, return_sequences=True), L.LSTM(5, go_backwards=True)),
            x,
        ),
        "label": (
            Sequential(
                [
                    Input((6, 3)),
                    L.LSTM(8, return_sequences=True),
                    L.TimeDistributed(L.Dropout(0.1)),
                    L.TimeDistributed(L.Dense(3)),
                    L.TimeDistributed(L.Activation("softmax")),
                ]
            ),
            x,
        ),
        "text": (
            Sequential(
                [
                    Input((None,)),
                    L.Embedding(11, 4),
                    L.SpatialDropout1D(0.2),
                    L.LSTM(8),
                    L.Dense(3, activation="softmax"),
                ]
            ),
            tokens(6, 11),
        ),
        "text-masked": (
            functional(
                (6,),
                L.Embedding(11, 4, mask_zero=True),
                L.Bidirectional(L.LSTM(8, return_sequences=True)),
                L.LSTM(5),
                L.Dense(1, activation="sigmoid"),
            ),
            tokens(6, 11),
        ),
        "text-masked-backwards": (
            Sequential([Input((6,)), L.Embedding(11, 4, mask_zero=True), L.LSTM(8, go_backwards=True)]),
            tokens(6, 11),
        ),
        "normalization": (
            Sequential([Input((6, 3)), adapted, L.LSTM(8), L.Dense(3), L.Normalization(invert=True)]),
            rng.normal(5, 3, (5, 6, 3)).astype(np.float32),
        ),
        "normalization-given": (
            functional(
                (6, 3),
                L.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 2.0, 0.0]),
                L.Bidirectional(L.LSTM(8, return_sequences=True)),
                L.Normalization(),
                L.LSTM(5),
                L.Rescaling(2.0, 1.0),
            ),
            np.concatenate([x[:, :, :2], np.full_like(x[:, :, :1], 3)], axis=2),
        ),
        "batch-normalization": (
            Sequential(
                [
                    Input((6, 3)),
                    L.BatchNormalization(),
                    L.Bidirectional(L.LSTM(8, return_sequences=True)),
                    L.BatchNormalization(scale=False),
                    L.LSTM(5),
                    L.BatchNormalization(center=False, epsilon=0.1),
                    L.Dense(2),
                ]
            ),
            x,
        ),
        "no-bias": (Sequential([Input((6, 3)), L.LSTM(8, use_bias=False), L.Dense(2, use_bias=False)]), x),
        "hard-sigmoid": (
            Sequential(
                [
                    Input((6, 3)),
                    L.LSTM(8, recurrent_activation="hard_sigmoid", activation="softsign", unroll=True),
                    L.Dense(3, activation="hard_sigmoid"),
                ]
            ),
            x,
        ),
        "activations": (
            Sequential(
                [
                    Input((6, 3)),
                    L.LSTM(8, activation="elu"),
                    *(L.Dense(6, a) for a in ("selu", "softplus", "softsign", "gelu", "elu", "leaky_relu", "tanh")),
                    L.Dense(6, activation=L.LeakyReLU(0.01)),
                    L.LeakyReLU(),
                    L.Dense(6),
                    L.ELU(),
                    L.Dense(6),
                    L.ReLU(),
                    L.Activation("linear"),
                    L.Dense(6),
                    L.Flatten(),
                    L.Reshape((3, 2)),
                ]
            ),
            x,
        ),
        "stateful": (
            Sequential(
                [
                    Input(batch_shape=(5, 6, 3)),
                    L.LSTM(8, stateful=True, return_sequences=True),
                    L.LSTM(5, stateful=True),
                    L.Dense(2),
                ]
            ),
            x,
        ),
    }
    return many


def refused():
    """What Keras saves and nobody can read exactly without it."""
    import keras
    from keras import Input, Sequential
    from keras import layers as L

    def behind_lstm(*layers, **options):
        return Sequential([Input((6, 3)), L.LSTM(4, **options), *layers])

    both = Input((6, 3))
    one, two = L.LSTM(4)(both), L.LSTM(4)(both)
    shared = L.LSTM(3, return_sequences=True)
    state = L.LSTM(4, return_state=True)(both)
    masked = L.Masking()(both)
    return {
        "lambda": behind_lstm(L.Lambda(lambda x: x * 2)),
        "gru": Sequential([Input((6, 3)), L.GRU(4)]),
        "conv1d": Sequential([Input((6, 3)), L.Conv1D(4, 2), L.LSTM(4)]),
        "branches": keras.Model(both, L.Concatenate()([one, two])),
        "attention": keras.Model(both, L.Attention()([shared(both), shared(both)])),
        "shared": keras.Model(both, shared(shared(both))),
        "state": keras.Model(both, L.Dense(2)(state[0])),
        "state-alone": keras.Model(both, L.Dense(2)(state[1])),
        "two-outputs": keras.Model(both, [one, two]),
        "two-inputs": keras.Model([both, inner := Input((6, 3))], L.LSTM(3)(L.Add()([both, inner]))),
        "nested": Sequential([Input((6, 3)), Sequential([L.LSTM(4)])]),
        "no-lstm": Sequential([Input((6, 3)), L.Dense(4)]),
        "flatten": Sequential([Input((6, 3)), L.LSTM(4, return_sequences=True), L.Flatten(), L.Dense(1)]),
        "swish": behind_lstm(L.Dense(2, activation="swish")),
        "slope": behind_lstm(L.LeakyReLU(0.5)),
        "gelu-inside": behind_lstm(activation="gelu"),
        "float16": behind_lstm(L.Dense(1, dtype="mixed_float16")),
        "float64": behind_lstm(L.Dense(1, dtype="float64")),
        "product": Sequential([Input((6, 3)), L.Bidirectional(L.LSTM(4), merge_mode="mul")]),
        "zeros-at-every-step": Sequential(
            [Input((6, 3)), L.Masking(), L.Bidirectional(L.LSTM(4, return_sequences=True)), L.Dense(1)]
        ),
        "mask-then-backwards": Sequential(
            [Input((6, 3)), L.Masking(), L.LSTM(4, return_sequences=True), L.LSTM(4, go_backwards=True)]
        ),
        "mask-of-another": keras.Model(both, L.LSTM(4)(masked, mask=keras.ops.any(keras.ops.not_equal(both, 2.0), -1))),
        "mask-of-what-was-computed": Sequential(
            [Input((6, 3)), L.LSTM(4, return_sequences=True), L.Masking(), L.LSTM(4)]
        ),
        "mask-of-tokens-that-none-makes": keras.Model(
            text := Input((6,)), L.LSTM(4)(L.Embedding(9, 4)(text), mask=keras.ops.not_equal(text, 0))
        ),
        "dropout-that-stays-on": keras.Model(both, L.LSTM(4)(L.Dropout(0.5)(both, training=True))),
        "stateful-bidirectional": Sequential(
            [Input(batch_shape=(1, 6, 3)), L.Bidirectional(L.LSTM(4, stateful=True)), L.Dense(1)]
        ),
        "image": Sequential([Input((6, 3, 3)), L.TimeDistributed(L.Flatten()), L.LSTM(4)]),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
