"""`python -m rtdecode`: the same command line."""

import sys

from rtdecode.cli import main

sys.exit(main())
