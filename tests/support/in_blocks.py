"""The command line, which scans in blocks of few samples, so that processes take turns: BLOCK COMMAND."""

import sys

from eftclip.cli import main
from eftclip.identify import scanner

scanner.BLOCK = int(sys.argv[1])
sys.exit(main(sys.argv[2:]))
