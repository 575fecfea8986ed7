"""The terminal screen: draws the newest Snapshot. It knows nothing of LSL, models or the engine."""
