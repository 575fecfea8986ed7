"""Studies of trials: binned features of intracortical arrays, a sentence each."""
