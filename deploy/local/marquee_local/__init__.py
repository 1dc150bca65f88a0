"""The whole system on one machine: servers, supervisor, demo."""
