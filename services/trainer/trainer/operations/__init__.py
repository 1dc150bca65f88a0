"""Tools of operators: verify, rebuild, erasure, inspection, doctor."""
