"""Training runs: stages, jobs, records, schedule, publication, retention."""
