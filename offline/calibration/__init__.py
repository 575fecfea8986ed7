"""The parts of calibration: recordings that fit a model, rows that are fitted, scores that tell the gain."""
