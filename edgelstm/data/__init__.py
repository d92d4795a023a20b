"""From files to training examples, baselines and scores.

`readers` read files as series; `parts`, `deal` and `rows` cut series into `windows` or `sequences`; `scaling` measures
their constants; `baselines` answer without a network; `scores` compare answers with the truth. All of it needs numpy
alone, except resampling and some formats in `readers`, which use polars.
"""
