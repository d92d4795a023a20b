"""Read series and cut them into windows: tables, gaps, parts, scaling, baselines, scores.

Nothing here needs more than numpy but `table`, which reads CSV and Parquet through polars.
"""
