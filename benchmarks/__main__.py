"""All benchmarks: ``python -m benchmarks``."""

import sys

from benchmarks import page

if __name__ == "__main__":
    sys.exit(page.main())
