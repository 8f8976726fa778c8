"""Does native code touch only what is its own?

``check_leaves.c`` holds the inner loops against naive ones, built with the address and undefined-behaviour sanitizers.
Where there is valgrind, it runs under that too, which finds what is read before it is written; and so do some thousand
messages through the compiled twin as Python uses it, in and out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tools" / "check_leaves.c"
HOT = ROOT / "wsproto_core" / "_speedups"
STRICT = ("-std=c99", "-O3", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror", f"-I{HOT}")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
VALGRIND = ("--quiet", "--error-exitcode=3")
TIMEOUT = 600.0


def main() -> int:
    """Check; return the exit status."""
    compiler = shutil.which("cc")
    if compiler is None:
        print("check_leaves: there is no C compiler", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        sanitized, plain = f"{folder}/sanitized", f"{folder}/plain"
        run(compiler, *STRICT, *SANITIZERS, str(SOURCE), "-o", sanitized)
        run(sanitized)
        valgrind = shutil.which("valgrind")
        if valgrind is None:
            print("check_leaves: there is no valgrind, so nothing looked for what is read before it is written")
            return 0
        run(compiler, *STRICT, str(SOURCE), "-o", plain)
        run(valgrind, *VALGRIND, plain)
    # CPython itself uses undefined values, harmlessly: only addresses are watched here.
    messages = (sys.executable, str(ROOT / "tools" / "check_leaks.py"), "4000")
    run(valgrind, *VALGRIND, "--undef-value-errors=no", *messages, PYTHONMALLOC="malloc")
    return 0


def run(*command: str, **environment: str) -> None:
    subprocess.run(command, env=os.environ | environment, check=True, timeout=TIMEOUT)


if __name__ == "__main__":
    sys.exit(main())
