"""Facts folded from events: fold, replay, canonical form, restoration."""
