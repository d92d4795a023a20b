"""Turn the bytes of a text table into rows of fields: encoding, delimiter, and where the table begins."""
