"""All benchmarks: ``python -m benchmarks``."""

import subprocess
import sys

#: Each in a process of its own: what one leaves in memory doesn't weigh on the next.
_ALL = ("page", "edit", "sessions", "ingest", "query", "client")

if __name__ == "__main__":
    sys.exit(max(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in _ALL))
