"""`python -m offline`: the same command line."""

import sys

from offline.cli import main

sys.exit(main())
