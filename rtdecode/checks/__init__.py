"""Is this sitting fit to decode? Five steps, each a number beside its limit.

What a step finds is computed by pure functions of samples and stamps (noise, blink, scale, delay, story);
`sitting` feeds them from a stream, `stream` is that stream. Nothing here changes a bundle.
"""
