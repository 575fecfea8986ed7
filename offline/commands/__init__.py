"""What `offline` can be told to do, by what it is done to: data, training, judging. Each module adds its
parsers and hands over; results on stdout, progress on stderr.
"""
