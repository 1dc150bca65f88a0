"""Dead letters: publication, ledger, queue with decisions, retry, and gauge."""
