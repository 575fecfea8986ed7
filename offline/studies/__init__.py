"""One file per data set: each loads a tree of files as a `Study`."""
