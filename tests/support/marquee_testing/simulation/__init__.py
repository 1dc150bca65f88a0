"""Deterministic simulation of the consumer loop under faults, checked against a reference model."""
