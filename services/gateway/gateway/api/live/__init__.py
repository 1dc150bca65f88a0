"""Lists that a page follows."""
