"""The history of events in Parquet: snapshots plus segments of the log."""
