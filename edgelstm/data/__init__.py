"""Read series and cut them into windows: tables, gaps, parts, scaling, baselines, scores.

Nothing here needs more than numpy, but Parquet and resampling in `table` use polars.
"""
