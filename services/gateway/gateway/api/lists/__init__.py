"""Lists of recommendations beyond one page of one viewer: pages, shelves, batches, groups."""
