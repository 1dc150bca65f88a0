"""The audit: who changed what, when and why, and how it was before and after."""
