"""What browsers, caches and proxies in front of the API ask of HTTP."""
