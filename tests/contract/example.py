"""A contract that uses every key, and what the text of each format was."""

from edgelstm.contract import Channel, Contract, Fidelity, Metrics, Provenance, Quantization, StateTensor, Statistics
from edgelstm.reading import Dialect, Reading, Rhythm, TimeForm

READING = Reading(
    format="csv",
    dialect=Dialect(";", ",", ".", "latin-1", 2),
    missing=("-200",),
    time=TimeForm(("Date", "Hour"), "%d.%m.%Y %H:%M", "Europe/Berlin"),
    series="pier",
    rhythm=Rhythm("second", 600.0),
    resample="10m",
    duplicates="mean",
    gaps="interpolate",
    max_gap=3,
)
EXAMPLE = Contract(
    format_version=3,
    name="tide",
    task="forecast",
    precision="int8",
    inputs=(
        Channel("level", "m", "float32", Statistics(0.5, 0.25, -1.0, 2.0, tuple(i / 8 for i in range(11)))),
        Channel("wind", None, "float32", None, ahead=3),
        Channel("sky=clear", None, "float32", None, column="sky", category="clear"),
        Channel("sky=dull", None, "float32", None, column="sky", category="dull"),
    ),
    outputs=(Channel("level", "m", "float32", None, origin=1e9),),
    window=24,
    horizon=3,
    lengths=False,
    state="carried",
    trained_state="window",
    states=(StateTensor("h0", "h0_out", (1, "B", 8), "float32"),),
    scaling="standard",
    sample_period_s=600.0,
    quantization=Quantization(True, "mse", "fp32"),
    fidelity=Fidelity((0.5,), (0.0,), (0.25,)),
    metrics=(Metrics("test", 7, {"rmse": 2.0, "mae": 1.5}, None, {"ridge": {"rmse": 1e-07}}),),
    provenance=Provenance({"edgelstm": "0.1.0"}, None, "ab" * 32, 0),
    times=True,
    reading=READING,
)
FROZEN_1 = (
    '{"fidelity":{"neighbour_difference":[0.25],"network_error":[0.5],"stream_difference":[0.0]},"format_version":1,'
    '"horizon":3,"inputs":[{"categories":null,"dtype":"float32","name":"level","statistics":{"max":2.0,"mean":0.5,'
    '"min":-1.0,"quantiles":[0.0,0.125,0.25,0.375,0.5,0.625,0.75,0.875,1.0,1.125,1.25],"std":0.25},"unit":"m"},'
    '{"categories":null,"dtype":"float32","name":"wind","statistics":null,"unit":null}],"lengths":false,"metrics":[{"baselines":{"ridge":{"mae":1.5,'
    '"mse":4.0,"rmse":2.0,"scaled_mae":1e-07,"scaled_mse":0.5}},"file":null,"network":{"mae":1.5,"mse":4.0,"rmse":2.0,'
    '"scaled_mae":0.25,"scaled_mse":0.5},"part":"test","windows":7}],"name":"tide","outputs":[{"categories":null,"dtype":"float32",'
    '"name":"level","statistics":null,"unit":"m"}],"precision":"int8","provenance":{"data_sha256":null,"seed":0,'
    '"versions":{"edgelstm":"0.1.0"},"weights_sha256":"'
    + "ab"
    * 32
    + '"},"quantization":{"clip":"mse","head":"fp32","per_channel":true},'
    '"sample_period_s":600.0,"scaling":"standard",'
    '"state":"carried","states":[{"dtype":"float32","input":"h0","output":"h0_out","shape":[1,"B",8]}],'
    '"task":"forecast","trained_state":"window","window":24}'
)
FROZEN_2 = (
    '{"answer":"number","fidelity":{"neighbour_difference":[0.25],"network_error":[0.5],"stream_difference":[0.0]},'
    '"format_version":2,"horizon":3,"inputs":[{"ahead":0,"cap":null,"categories":null,"column":null,"dtype":"float32",'
    '"name":"level","quantile":null,"statistics":{"max":2.0,"mean":0.5,"min":-1.0,"quantiles":[0.0,0.125,0.25,0.375,0.5,'
    '0.625,0.75,0.875,1.0,1.125,1.25],"std":0.25},"unit":"m"},{"ahead":3,"cap":null,"categories":null,"column":null,'
    '"dtype":"float32","name":"wind","quantile":null,"statistics":null,"unit":null}],"lengths":false,"metrics":[{"baselines":'
    '{"ridge":{"rmse":1e-07}},"file":null,"network":{"mae":1.5,"rmse":2.0},"part":"test","windows":7}],"name":"tide",'
    '"outputs":[{"ahead":0,"cap":null,"categories":null,"column":null,"dtype":"float32","name":"level","quantile":null,'
    '"statistics":null,"unit":"m"}],"precision":"int8","provenance":{"data_sha256":null,"seed":0,"versions":{"edgelstm":'
    '"0.1.0"},"weights_sha256":"'
    + "ab"
    * 32
    + '"},"quantization":{"clip":"mse","head":"fp32","per_channel":true},"sample_period_s":600.0,"scaling":"standard",'
    '"state":"carried","states":[{"dtype":"float32","input":"h0","output":"h0_out","shape":[1,"B",8]}],"task":"forecast",'
    '"times":true,"trained_state":"window","window":24}'
)
FROZEN = (
    '{"answer":"number","fidelity":{"neighbour_difference":[0.25],"network_error":[0.5],"stream_difference":[0.0]'
    '},"format_version":3,"horizon":3,"inputs":[{"ahead":0,"cap":null,"categories":null,"category":null,"column":'
    'null,"dtype":"float32","name":"level","origin":0.0,"quantile":null,"statistics":{"max":2.0,"mean":0.5,"min":'
    '-1.0,"quantiles":[0.0,0.125,0.25,0.375,0.5,0.625,0.75,0.875,1.0,1.125,1.25],"std":0.25},"unit":"m"},{"ahead"'
    ':3,"cap":null,"categories":null,"category":null,"column":null,"dtype":"float32","name":"wind","origin":0.0,"'
    'quantile":null,"statistics":null,"unit":null},{"ahead":0,"cap":null,"categories":null,"category":"clear","co'
    'lumn":"sky","dtype":"float32","name":"sky=clear","origin":0.0,"quantile":null,"statistics":null,"unit":null}'
    ',{"ahead":0,"cap":null,"categories":null,"category":"dull","column":"sky","dtype":"float32","name":"sky=dull'
    '","origin":0.0,"quantile":null,"statistics":null,"unit":null}],"lengths":false,"many_series":false,"metrics"'
    ':[{"baselines":{"ridge":{"rmse":1e-07}},"file":null,"network":{"mae":1.5,"rmse":2.0},"part":"test","windows"'
    ':7}],"name":"tide","outputs":[{"ahead":0,"cap":null,"categories":null,"category":null,"column":null,"dtype":'
    '"float32","name":"level","origin":1000000000.0,"quantile":null,"statistics":null,"unit":"m"}],"precision":"i'
    'nt8","provenance":{"data_sha256":null,"seed":0,"versions":{"edgelstm":"0.1.0"},"weights_sha256":"'
    + "ab"
    * 32
    + '"},"quantization":{"clip":"mse","head":"fp32","highway":"fp32","per_channel":true},"reading":{"dialect":'
    '{"decimal":",","delim'
    'iter":";","encoding":"latin-1","header":true,"row_names":false,"skip_rows":2,"thousands":"."},"duplicates":"'
    'mean","format":"csv","gaps":"interpolate","max_gap":3,"missing":["-200"],"resample":"10m","rhythm":{"count":'
    '600.0,"day":null,"unit":"second"},"series":"pier","time":{"columns":["Date","Hour"],"form":"%d.%m.%Y %H:%M",'
    '"zone":"Europe/Berlin"}},"sample_period_s":600.0,"scaling":"standard","state":"carried","states":[{"dtype":"'
    'float32","input":"h0","output":"h0_out","shape":[1,"B",8]}],"task":"forecast","times":true,"trained_state":"'
    'window","window":24}'
)
