"""Dead letters: publication, ledger of resolutions, retry, and gauge."""
