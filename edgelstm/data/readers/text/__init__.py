"""From the bytes of a text table to its rows of fields: encoding, delimiter, and where the table begins."""
