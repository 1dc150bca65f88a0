"""Files of a data set: which hold what, and how their tables are opened."""
