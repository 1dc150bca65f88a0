"""The consumer loop: batches of events become atomic, fenced updates of facts and derived rows."""
