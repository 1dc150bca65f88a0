"""Routes of the audit: who changed what, and taking a change back; receipts of erasures."""
