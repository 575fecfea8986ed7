"""The planted study: synthesized speech, a known brain, realistic noise. See `build.simulate`."""
