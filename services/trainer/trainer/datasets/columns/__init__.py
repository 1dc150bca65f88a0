"""Columns of tables: which is which, and the values of each kind."""
