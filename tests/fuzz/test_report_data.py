"""Reports for programs: JSON that loses nothing, JUnit XML that every server reads, and the matrix below them all."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given

from tests.fuzz.report_kit import HOSTILE, result, run, runs
from wsproto_fuzz.conformance.report.folder import write_reports
from wsproto_fuzz.conformance.report.json import dump_run, load_run, read_run
from wsproto_fuzz.conformance.report.junit import junit
from wsproto_fuzz.conformance.report.markdown import markdown
from wsproto_fuzz.conformance.report.matrix import Matrix
from wsproto_fuzz.conformance.report.sections import linked
from wsproto_fuzz.conformance.verdict import Run, Verdict

ONE_OF_EACH = run(
    result("framing.1.1"),
    result("framing.1.2", Verdict.LAX),
    result("ping.1.1", Verdict.FAIL, finding=HOSTILE, reproduction="try this"),
    result("ping.1.2", Verdict.UNIMPLEMENTED),
)


# --- JSON -------------------------------------------------------------------------------------------------------------


@given(runs)
def test_a_run_comes_back_from_json_as_it_was(any_run: Run) -> None:
    assert load_run(dump_run(any_run)) == any_run


def test_json_is_ascii_with_a_line_for_each_result() -> None:
    text = dump_run(ONE_OF_EACH)
    assert text.isascii()
    assert sum(line.startswith('{"case": ') for line in text.splitlines()) == 4
    assert json.loads(text)["counts"] == {"pass": 1, "lax": 1, "fail": 1, "unimplemented": 1}


def test_members_that_are_not_known_are_left_aside() -> None:
    whole = json.loads(dump_run(ONE_OF_EACH))
    whole["later"] = whole["results"][0]["later"] = {"x": 1}
    assert load_run(json.dumps(whole)) == ONE_OF_EACH


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "Expecting property name"),
        ("[]", "not a report"),
        ('{"format": "another"}', "not a report"),
        ('{"format": "wsproto-fuzz run", "version": 2}', "version 2; this program reads version 1"),
        ('{"format": "wsproto-fuzz run", "version": 1}', "without 'peer'"),
        (dump_run(run()).replace('"a peer 1.0"', "null"), "peer is NoneType"),
        (dump_run(run()).replace("12.5", '"12.5"'), "duration is str"),
        (dump_run(run(seed=3)).replace('"seed": 3', '"seed": 3.5'), "seed is float"),
        (dump_run(run()).replace('"results": [\n\n]', '"results": {}'), "results is dict"),
        (dump_run(run()).replace('"results": [\n\n]', '"results": [null]'), "wrong type"),
        (dump_run(run(result())).replace('"verdict": "pass"', '"verdict": "good"'), "good"),
    ],
)
def test_what_is_no_report_is_refused_in_words(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=words) as caught:
        read_run(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_utf8_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"report\.json"):
        read_run(path)


# --- JUnit ------------------------------------------------------------------------------------------------------------

#: The order of what a suite holds, and the attributes that the two schemas in use require and allow.
SUITE = ["properties", "testcase", "testcase", "system-out", "system-err"]
SUITE_ATTRIBUTES = {
    *("id", "package", "name", "timestamp", "hostname"),
    *("tests", "failures", "errors", "skipped", "time"),
}


def test_junit_says_what_the_schemas_have_words_for() -> None:
    root = ElementTree.fromstring(junit([ONE_OF_EACH]))
    framing, ping = root
    assert (root.tag, root.attrib) == ("testsuites", {})
    for number, suite in enumerate((framing, ping)):
        assert [child.tag for child in suite] == SUITE
        assert set(suite.attrib) == SUITE_ATTRIBUTES
        assert (suite.get("id"), suite.get("timestamp")) == (str(number), "2026-11-20T15:50:12")
    assert (ping.get("tests"), ping.get("failures"), ping.get("skipped")) == ("2", "1", "1")
    assert "framing.1.2" in str(framing.findtext("system-out"))
    failure, skipped = (case[0] for case in ping.iter("testcase"))
    assert (failure.tag, failure.get("type"), skipped.tag) == ("failure", "RFC 6455 §5.5.2", "skipped")
    assert all(words in str(failure.text) for words in ("what ping.1.1 requires", "TEXT fin 5 bytes", "try this"))


@given(runs)
def test_junit_is_well_formed_whatever_a_peer_says(any_run: Run) -> None:
    root = ElementTree.fromstring(junit([any_run, any_run]).encode())
    assert len(list(root.iter("testcase"))) == 2 * len(any_run.results)


def test_what_a_peer_says_is_in_junit_as_escapes() -> None:
    failure = ElementTree.fromstring(junit([ONE_OF_EACH])).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "\"'><script>alert(1)</script>&amp;\\x00\\x1b[31m\\u202e\\ud800\\ufffe]]>"


# --- the matrix -------------------------------------------------------------------------------------------------------


def test_runs_are_merged_by_case_and_kept_together_by_group() -> None:
    one = run(result("ping.1"), result("close.1", Verdict.LAX))
    other = run(result("ping.2", Verdict.FAIL), result("close.1"), result("utf8.1"))
    matrix = Matrix([one, other])
    assert [row.case for row in matrix.rows] == ["ping.1", "ping.2", "close.1", "utf8.1"]
    assert matrix.groups == ("ping", "close", "utf8")
    (close,) = matrix.of_group("close")
    assert [found and found.verdict for found in close.results] == [Verdict.LAX, Verdict.PASS]
    assert matrix.rows[0].results == (one.results[0], None)
    assert matrix.counts("ping", 1) == {Verdict.FAIL: 1}


def test_markdown_has_a_line_for_each_run_in_total_and_by_group() -> None:
    matrix = Matrix([ONE_OF_EACH, run(result("framing.1.1"), peer="b|2\x1b")])
    assert markdown(matrix).splitlines() == [
        "| Implementation | ✓ pass | ~ lax | ✗ fail | – unimplemented |",
        "| --- | --: | --: | --: | --: |",
        "| a peer 1.0 | 1 | 1 | 1 | 1 |",
        "| b\\|2\\x1b | 1 | 0 | 0 | 0 |",
        "",
        "| Implementation | framing | ping |",
        "| --- | --- | --- |",
        "| a peer 1.0 | ~ 1 | ✗ 1 – 1 |",
        "| b\\|2\\x1b | ✓ 1 | · |",
    ]


# --- sections ---------------------------------------------------------------------------------------------------------

RFC = "https://www.rfc-editor.org/rfc/rfc"


@pytest.mark.parametrize(
    ("reference", "addresses"),
    [
        ("RFC 6455 §5.2", [f"{RFC}6455.html#section-5.2"]),
        ("RFC 6455 §5.2, §7.1.7", [f"{RFC}6455.html#section-5.2", f"{RFC}6455.html#section-7.1.7"]),
        ("RFC 7692 §7.2.3.6; RFC 6455 §9", [f"{RFC}7692.html#section-7.2.3.6", f"{RFC}6455.html#section-9"]),
        ("RFC 3629", [f"{RFC}3629.html"]),
        ("§5.2 of nothing", [None]),
        ("good manners", []),
        ("", []),
    ],
)
def test_a_section_is_linked_to_its_text(reference: str, addresses: list[str | None]) -> None:
    parts = list(linked(reference))
    assert "".join(words for words, _ in parts) == reference
    assert [address for words, address in parts if address or words.startswith("§")] == addresses


# --- the folder -------------------------------------------------------------------------------------------------------


def test_a_folder_gets_a_page_junit_and_a_file_for_each_run(tmp_path: Path) -> None:
    same = [run(result(), peer="ws://127.0.0.1:80/ß"), run(peer="ws://127.0.0.1:80/"), run(peer="../..")]
    page = write_reports(tmp_path / "a" / "b", same)
    assert page == tmp_path / "a" / "b" / "index.html"
    names = {path.name for path in page.parent.iterdir()}
    assert names == {"index.html", "junit.xml", "ws-127.0.0.1-80.json", "ws-127.0.0.1-80-2.json", "peer.json"}
    assert read_run(page.with_name("ws-127.0.0.1-80.json")) == same[0]
