"""Metrics in the text format that Prometheus reads (version 0.0.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from .metrics import Metrics

__all__ = ["PROMETHEUS_CONTENT_TYPE", "prometheus_text"]

#: The ``Content-Type`` of a response with :func:`prometheus_text`.
PROMETHEUS_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

#: The end of a sample's name, its labels, and its value.
_Sample: TypeAlias = tuple[str, Mapping[str, str], float]
_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})
_LABEL_NAME: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
#: Labels that stand in the samples themselves.
_OWN_LABELS: Final = frozenset({"direction", "kind", "quantile"})
_ESCAPES: Final = MappingProxyType(str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"}))


def prometheus_text(metrics: Metrics, labels: Mapping[str, str] = _NO_LABELS) -> str:
    """``metrics`` for Prometheus, each sample with ``labels``. Serve it as :data:`PROMETHEUS_CONTENT_TYPE`.

    Raises :exc:`ValueError`, naming the label, for a name that a label cannot have.
    """
    for name in labels:
        if not _LABEL_NAME.fullmatch(name) or name in _OWN_LABELS:
            raise ValueError(f"labels: {name!r} cannot be the name of a label here")
    return "".join(
        f"# HELP wsproto_{name} {words}\n# TYPE wsproto_{name} {kind}\n"
        + "".join(f"wsproto_{name}{end}{_labels({**labels, **own})} {value!r}\n" for end, own, value in samples)
        for name, kind, words, samples in _families(metrics)
    )


def _families(metrics: Metrics) -> Iterator[tuple[str, str, str, Sequence[_Sample]]]:
    """Name, type, help and samples of each."""
    connections = metrics.connections
    yield "connections", "gauge", "Open connections.", _one(connections.active)
    for name, words, count in (
        ("opened", "Connections that came to be open.", connections.total),
        ("accepted", "Connections that servers have let in.", connections.accepted),
        ("rejected", "Visitors that servers have turned away.", connections.rejected),
        ("failed", "Attempts to connect that came to nothing.", connections.failed),
    ):
        yield f"connections_{name}_total", "counter", words, _one(count)
    for name, words in (
        ("messages", "Messages."),
        ("bytes", "Bytes on the wire."),
        ("pings", "Pings."),
        ("pongs", "Pongs."),
    ):
        traffic = getattr(metrics, name)
        ways = [("", {"direction": way}, getattr(traffic, way)) for way in ("sent", "received")]
        yield f"{name}_total", "counter", words, ways
    errors = [("", {"kind": kind}, getattr(metrics.errors, kind)) for kind in metrics.errors.__dataclass_fields__]
    yield "errors_total", "counter", "Connections that did not end well.", errors
    yield "round_trip_seconds", "summary", "Round trips of pings.", _round_trips(metrics)
    if metrics.memory is not None:
        yield "memory_bytes", "gauge", "Physical memory of the process.", _one(metrics.memory.now)
        yield "memory_peak_bytes", "gauge", "The most it ever was.", _one(metrics.memory.peak)
    yield "start_time_seconds", "gauge", "When counting began.", _one(metrics.started_at)


def _one(value: float) -> Sequence[_Sample]:
    return [("", _NO_LABELS, value)]


def _round_trips(metrics: Metrics) -> Sequence[_Sample]:
    latency = metrics.latency
    if latency is None:
        return [("_sum", _NO_LABELS, 0.0), ("_count", _NO_LABELS, 0)]
    quantiles = {"0.5": latency.p50, "0.95": latency.p95, "0.99": latency.p99, "0.999": latency.p999}
    return [
        *(("", {"quantile": quantile}, value) for quantile, value in quantiles.items()),
        ("_sum", _NO_LABELS, latency.mean * latency.count),
        ("_count", _NO_LABELS, latency.count),
    ]


def _labels(labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""
