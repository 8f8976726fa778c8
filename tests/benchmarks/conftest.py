"""The benchmarks are programs in a folder of their own: here they are imported as they import each other."""

import sys

from tests.surface.tree import ROOT

sys.path.append(str(ROOT / "benchmarks"))

#: They pin cores, choose scheduling classes and read the clocks of other processes.
collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]
