"""The contrastive recipe on windows of public studies: what it is trained on, how it is scored."""
