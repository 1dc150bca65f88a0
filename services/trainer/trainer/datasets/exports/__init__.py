"""Exports: a data set as tables that an import reads back as the same."""
