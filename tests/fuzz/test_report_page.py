"""The page: everything is there once, it is valid, and nothing that a peer said is more than text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from tests.fuzz.report_kit import HOSTILE, LINE, result, run, runs
from wsproto_fuzz.conformance import report
from wsproto_fuzz.conformance.report.html import page
from wsproto_fuzz.conformance.report.markup import element
from wsproto_fuzz.conformance.report.matrix import Matrix
from wsproto_fuzz.conformance.verdict import Run, Verdict
from wsproto_fuzz.transcript import Direction, Line

VOID = {"meta", "wbr", "input"}
ELEMENTS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "ul",
        "li",
        "i",
        "b",
        "a",
    ),
    *("table", "thead", "tbody", "tr", "th", "td", "form", "input", "select", "option", "span", "div", "button"),
    *("output", "section", "details", "summary", "code", "pre", "small", "footer", "script", "wbr"),
}


class Page(HTMLParser):
    """A page as a browser reads it; an element that ends nowhere, or that nobody has made, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    def all(self, tag: str, **wanted: str) -> Iterator[dict[str, str | None]]:
        return (found for name, found in self.found if name == tag and wanted.items() <= found.items())

    @property
    def text(self) -> str:
        return "".join(self.words)


def read(*shown: Run) -> Page:
    return Page(page(Matrix(shown)))


EVIL = result(
    f"ping.1{HOSTILE}",
    Verdict.FAIL,
    **{name: HOSTILE for name in ("group", "title", "requirement", "section", "finding", "reproduction")},
    transcript=(Line(Direction.RECEIVED, 0.0, HOSTILE, HOSTILE, 3), LINE),
)


def test_what_a_peer_says_is_text() -> None:
    for shown in ([run(EVIL, peer=HOSTILE)], [run(EVIL, peer=HOSTILE), run(EVIL, peer=HOSTILE)]):
        found = read(*shown)
        assert len(list(found.all("script"))) == 1
        assert "<script>alert(1)</script>&amp;\\x00\\x1b[31m\\u202e\\ud800\\ufffe]]>" in found.text


@given(runs)
def test_the_page_is_whole_whatever_a_peer_says(any_run: Run) -> None:
    for shown in ([any_run], [any_run, any_run]):
        found = read(*shown)
        assert len(list(found.all("script"))) == 1
        assert all(char.isprintable() or char == "\n" for char in found.text)


def test_the_page_needs_nothing_else_and_runs_no_other_script() -> None:
    text = page(Matrix([run(result())]))
    found = Page(text)
    assert [attributes for _, attributes in found.found if attributes.keys() & {"src", "srcset", "data"}] == []
    assert not re.search(r"@import|url\(|fetch\(|import\(", text)
    (policy,) = (str(meta["content"]) for meta in found.all("meta", **{"http-equiv": "Content-Security-Policy"}))
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")
    assert [name for _, attributes in found.found for name in attributes if name.startswith("on")] == []


def test_one_run_shows_its_facts_counts_and_cases() -> None:
    found = read(run(result("ping.1"), result("ping.2", Verdict.FAIL, reproduction="do this"), seed=7))
    assert all(
        words in found.text
        for words in (
            *("a peer 1.0", "1 case failed", "A server", "20 November 2026, 15:50 UTC", "2 cases", "12.5 s", "seed 7"),
            *("the title of ping.1", "what ping.1 requires", "what was found in ping.1", "TEXT fin 5 bytes 'hello'"),
            *("81 05 68 65 6c 6c 6f", "do this"),
        )
    )
    assert [case["id"] for case in found.all("details")] == ["ping.1", "ping.2"]
    (link, *_) = found.all("a", rel="noreferrer")
    assert link["href"] == "https://www.rfc-editor.org/rfc/rfc6455.html#section-5.5.2"


def test_cases_with_one_requirement_stand_below_it() -> None:
    same: dict[str, Any] = {"requirement": "It answers."}
    text = page(Matrix([run(result("ping.1.1", **same), result("ping.1.2", **same), result("ping.2.1"))]))
    assert re.findall(r"<h3>([^<]*) <|<details id=\"([^\"]*)\"", text) == [
        *(("It answers.", ""), ("", "ping.1.1"), ("", "ping.1.2")),
        *(("what ping.2.1 requires", ""), ("", "ping.2.1")),
    ]


def test_a_run_without_failures_conforms() -> None:
    assert "✓ Conforms" in read(run(result())).text


def test_every_verdict_has_a_sign_besides_its_colour() -> None:
    shown = run(*(result(f"ping.{verdict}", verdict) for verdict in Verdict))
    cells = re.findall(r'<span class="cell (\w+)"[^>]*>(.)</span>', page(Matrix([shown])))
    assert cells == [("pass", "✓"), ("lax", "~"), ("fail", "✗"), ("unimplemented", "–")]


def test_several_runs_are_columns() -> None:
    one = run(result("ping.1"), result("ping.2"), peer="one_1.0")
    two = run(result("ping.1", Verdict.FAIL), result("utf8.1", Verdict.LAX), peer="two_2.0", side="client")
    text = page(Matrix([one, two]))
    found = Page(text)
    cases = {case["id"]: case["data-verdicts"] for case in found.all("details") if "data-verdicts" in case}
    assert cases == {"ping.1": "fail pass differs", "ping.2": "pass", "utf8.1": "lax"}
    assert re.findall(r'class="cell ?(\w*)"(?: title="([^"]*)")?', text) == [
        *(("pass", ""), ("fail", "two_2.0: fail"), ("pass", ""), ("", "two_2.0: not played")),
        *(("", "one_1.0: not played"), ("lax", "two_2.0: lax")),
    ]
    assert "two_2.0: 1 fail" in text
    assert "not played" in found.text


def test_a_pass_among_others_shows_no_transcript() -> None:
    assert "TEXT fin" in read(run(result())).text
    assert "TEXT fin" not in read(run(result()), run(result())).text
    assert "TEXT fin" in read(run(result()), run(result(verdict=Verdict.LAX))).text


def test_peers_that_pass_alike_share_a_line() -> None:
    alike = [run(result(), peer="one"), run(result(), peer="two"), run(result(finding="otherwise"), peer="three")]
    shown = read(*alike).text
    assert "✓ pass what was found in ping.1.1 one, two✓ pass otherwise three" in shown


def test_long_transcripts_lose_their_middle() -> None:
    lines = tuple(Line(Direction.SENT, 0.0, f"line {number}.") for number in range(1000))
    shown = read(run(result(verdict=Verdict.FAIL, transcript=lines))).text
    assert all(words in shown for words in ("line 0.", "line 39.", "line 980.", "line 999.", "940 more lines"))
    assert "line 40." not in shown
    assert "988 more lines" in read(run(result(transcript=lines))).text


def test_the_page_stays_modest() -> None:
    """600 cases by 10 peers, each with evidence of twenty lines, of which one in twenty is shown."""
    results = [
        result(f"ping.{number}", Verdict.FAIL if number % 20 == 0 else Verdict.PASS, transcript=(LINE,) * 20)
        for number in range(600)
    ]
    text = page(Matrix([run(*results, peer=f"peer {number}") for number in range(10)]))
    assert len(text) < 5_000_000


def test_what_was_not_passed_can_be_seen_again() -> None:
    again = "wsproto fuzz server URL --only ping.1.1"
    assert again in read(run(result(verdict=Verdict.LAX))).text
    assert again in read(run(result()), run(result(verdict=Verdict.FAIL, transcript=()))).text
    assert "wsproto fuzz client --only ping.1.1" in read(run(result(verdict=Verdict.FAIL), side="client")).text
    assert "wsproto fuzz" not in read(run(result())).text.replace("Made by wsproto fuzz.", "")


def test_a_date_that_is_none_is_shown_as_it_is() -> None:
    assert "some day" in read(run(result(), began="some day")).text
    assert "20 November 2026, 15:50 UTC" in read(run(result(), began="2026-11-20T16:50:12+01:00")).text


def test_an_attribute_cannot_be_broken_out_of() -> None:
    assert element("p", title='"><b>') == '<p title="&quot;&gt;&lt;b&gt;"></p>'
    assert element("p", "<", hidden=True, title=False) == "<p hidden>&lt;</p>"


@pytest.mark.parametrize("name", ["page.css", "page.js"])
def test_the_assets_cannot_end_their_element(name: str) -> None:
    assert "</" not in (Path(report.__path__[0]) / name).read_text(encoding="utf-8")
