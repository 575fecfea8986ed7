"""Brain to text: trials of binned activity in, symbols and words out.

The recipe `recipe = "text"`: CTC on phonemes or characters over the models of `models.text`, on the one
training loop, judged by corpus-level error rates with and without a language model. Knows no live stream.
"""
