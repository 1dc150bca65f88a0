"""Load on a running gateway in a process of its own, and the check of its accepted writes."""
