"""`python -m eftclip`: the command line."""

import sys

from eftclip.cli import main

sys.exit(main())
