"""Convert the fields of a column to samples: decimal signs, units, words for missing, yes and no, categories."""
