"""Scoring of candidates with fitted parameters; numpy alone, so serving processes may load it."""
