"""Source of the client libraries, made from the gateway's OpenAPI document: `make clients`."""
