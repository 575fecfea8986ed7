"""A study becomes arrays on disk, once: signals at the model's rate, events, the split, speech features."""
