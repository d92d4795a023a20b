"""From files to what is learnt from, and to how good it is.

`readers` read files as series; `parts`, `deal` and `rows` cut those into `windows` or `sequences`, whose constants
`scaling` measures; `baselines` answer without a network; `scores` hold answers against the truth. Nothing here needs
more than numpy, but Parquet and resampling in `readers` use polars.
"""
