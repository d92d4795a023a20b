"""Put the rows of each series into the order of time and on the places of their rhythm, or average them into bins."""
