"""From frames of log-probabilities to words: symbol tables, n-gram models, beam search, committed text.

Numpy only. Knows no network, no bundle, no stream and no clock.
"""
