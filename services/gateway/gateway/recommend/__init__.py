"""From a request to a list: orchestration of routes, and the filter stage."""
