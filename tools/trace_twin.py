"""Line coverage of the compiled twin: does a test reach every line of it, compiled?

The twin is built once more, in a copy of this project, with Cython's line tracing; then the tests of the hot code run
on it, but for those that feed it by the byte for long: each line costs a call of the tracer. Ends with 1 if a line was
not reached.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import hatch_build

#: Each to the top of the copy: there packages lie as they are installed.
COPIED = (
    "wsproto_core",
    "transports/wsproto_asyncio",
    "transports/wsproto_sockets",
    "tests",
    "pyproject.toml",
    "hatch_build.py",
)
OF_FRAMES = ("codec", "codec_offences", "codec_room", "frames", "inflating", "leaves")
OF_CORE = (*OF_FRAMES, "inbox", "link", "messages", "traffic")
OF_ASYNCIO = ("leaves", "stream", "waiting")
OF_SOCKETS = ("flow", "interrupts", "leaves", "reading", "traffic")
TESTED = (
    *(f"tests/core/speedups/test_{name}.py" for name in OF_CORE),
    "tests/core/handshake/test_ordinary.py",
    "tests/adapters/test_speedups.py",
    *(f"tests/adapters/test_asyncio_{name}.py" for name in OF_ASYNCIO),
    *(f"tests/adapters/test_sockets_{name}.py" for name in OF_SOCKETS),
)
#: What is left out, by names: the side in Python, what is long, and the same offences in every place.
UNWANTED = (
    "python",
    "exactly_at",
    "with_the_byte",
    "what_came_before",
    "however_it_arrives",
    "memory_runs_out",
    "an_interrupt",
    "garbage_may_be_collected",
)
CHOSEN = " and ".join(f"not {name}" for name in UNWANTED)
#: Of what both C and Python can call, Cython tells the tracer that it returns, but not always that it is called:
#: Python's way to it tells that, and the method itself where it was called neither on that way nor by its class.
#: After a call by its class, the tracer takes the caller for returned. Here the method always tells, the way never.
TOLD_BY_METHOD = re.compile(r"(__Pyx_TraceStartFunc\(.*)__pyx_skip_dispatch,")
TOLD_ON_THE_WAY = re.compile(r"^ *__Pyx_TraceStartFunc\(\"[^\"]* \(wrapper\)\".*$", re.MULTILINE)
#: Left out are imports and aliases that only a type checker sees, the only ones with an indent, and what starving.py
#: reaches: where memory runs out, the tracer fails as well.
SETTINGS = r"""
[run]
plugins = Cython.Coverage
include = */_speedups/*_c.*
[report]
fail_under = 100
show_missing = true
exclude_lines =
    ^\s+from [.\w]+ import
    ^\s+\w+: TypeAlias =
    except MemoryError:
    the bytes are gone already
    ^\s+raise$
    raise MemoryError$
    raise NotImplementedError$
"""


def main() -> int:
    """Build, run, report."""
    with tempfile.TemporaryDirectory(prefix="wsproto-core-traced-") as folder:
        copy = Path(folder)
        for name in COPIED:
            source = hatch_build.ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / source.name)
        if not build_traced(copy):
            return 0  # it has said why
        (copy / "traced.ini").write_text(SETTINGS, "utf-8")
        failed = coverage(copy, "run", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", CHOSEN, *TESTED)
        return failed or coverage(copy, "report")


def build_traced(copy: Path) -> bool:
    """Put the twin, and what it was translated from, into the copy; return whether there is one."""
    hatch_build.DIRECTIVES["linetrace"] = True
    hatch_build.MACROS.append(("CYTHON_TRACE_NOGIL", "1"))
    hatch_build.translated = telling_each_call(hatch_build.translated)
    with tempfile.TemporaryDirectory(prefix="wsproto-core-") as folder:
        extensions = hatch_build.build_twin(Path(folder))
        for file in (*extensions, *Path(folder).glob("*/_speedups/*_c.*")):
            shutil.copy(file, copy / hatch_build.package_of(file))
    return bool(extensions)


def telling_each_call(translated: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
    """``translated``, mended: of each call the tracer is told once, as it is of each return."""

    def mended() -> list[Any]:
        extensions = translated()
        for source in (Path(source) for extension in extensions for source in extension.sources):
            code = TOLD_ON_THE_WAY.sub("", source.read_text("utf-8"))
            source.write_text(TOLD_BY_METHOD.sub(r"\g<1>0,", code), "utf-8")
        return extensions

    return mended


def coverage(folder: Path, command: str, *arguments: str) -> int:
    """Let coverage do it in ``folder``, with what lies there; return its exit status."""
    line = (sys.executable, "-m", "coverage", command, "--rcfile=traced.ini", *arguments)
    return subprocess.run(line, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
