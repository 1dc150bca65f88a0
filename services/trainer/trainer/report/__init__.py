"""The evaluation report: model, tables, plots, writers."""
