"""The data set that models are trained on, by the name that the trainer uses."""

from marquee.dataset import Dataset, Ints, make_dataset, position_in

__all__ = ["Dataset", "Ints", "make_dataset", "position_in"]
