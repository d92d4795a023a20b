"""Sort the rows of each series by time, and put them at the places of their rhythm or average them into bins."""
