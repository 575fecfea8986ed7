"""Scoring a bank of known speech against an estimate of it, each way in a room of its own.

    bank         what is searched: candidates, their timeline, mapped from disk
    geometry     where windows end inside candidates, and the norms of all windows of a timeline
    window       every product of a whole window at once: for models whose estimate changes as a whole
    progressive  each estimate frame's products once: for streams whose frames never change
    ranking      scores -> the first ten, with their probabilities
    segments     equally long slices of one stream at the features' own rate; the last layer folded in
    interpolate  the map from that rate to the model's, moved from the bank to the estimate
    coarse       8-bit products for a first choice, exact scores for the last

`rtdecode.retrieve.Retriever` is what the live decoder uses. Knows nothing of models, streams or clocks.
"""
