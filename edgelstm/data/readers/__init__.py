"""Read files as series. A format is one file here and one entry in `formats.FORMATS`.

Everything that could be read in two ways is an error that names the row: text among numbers, timestamps that
repeat, run backwards or leave a gap. Only Parquet and resampling need polars, so that a device reads what the
trainer reads.
"""
