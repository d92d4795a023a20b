"""Convert the texts and numbers of a column of times to moments in UTC."""
