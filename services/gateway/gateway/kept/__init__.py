"""Lists that are kept, and given again while nothing that they rest on has changed."""
