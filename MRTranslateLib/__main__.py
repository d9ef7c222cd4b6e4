"""``python -m MRTranslateLib``: the command line."""

import sys

from MRTranslateLib.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
