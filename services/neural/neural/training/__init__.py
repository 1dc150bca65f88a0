"""Training of the networks; needs torch, never loaded by a serving process."""
