"""The report: one page that needs nothing but itself and says what is wrong first."""

import re
import warnings
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from models.gate_record import GateRecord
from models.validation.behaviour import Violation
from models.validation.canvas import svg
from models.validation.card import card
from models.validation.challengers import Comparison, Rival
from models.validation.discrimination import Interval
from models.validation.doubt import DoubtBand
from models.validation.findings import findings, limits
from models.validation.reject import Trial
from models.validation.report import CHAPTERS, html, plot_summary
from models.validation.validation import Step, Suspicion, Validation
from tests.models.portfolio import validated
from tests.models.test_gate import judged


@pytest.fixture(scope="module")
def gate() -> GateRecord:
    return judged()


@cache
def whole() -> Validation:
    """The portfolio's validation with rivals, doubt and trials of reject inference."""
    return msgspec.structs.replace(
        validated()[3],
        rivals=(
            Rival(
                name="WoE scorecard",
                settings="ten bins",
                figures=Comparison(
                    auc=0.6543,
                    log_loss=0.1234,
                    calibration_error=0.0123,
                    difference=-0.0321,
                    standard_error=0.01,
                    p_value=0.0013,
                ),
            ),
            Rival(name="EBM", settings="two bags", failure="interpret is not installed"),
        ),
        doubt=(
            DoubtBand(800, 0.37, 12, 0.02, 0.03, 0.01, 0.05, "green", 0.0456),
            DoubtBand(800, 0.91, 0, None, None, None, None, None, 0.0789),
        ),
        inference=(
            Trial("none", 0.0432, 0.0589, 0.0157, 0.0657, 0.4233),
            Trial("parcelling", 0.057, 0.0589, 0.0091, 0.0624, 0.4381, Interval(3e-3, 2e-3, 4e-3)),
        ),
    )


@pytest.fixture(scope="module")
def page(gate: GateRecord) -> str:
    return html(whole(), gate)


class Tags(HTMLParser):
    """Checks that what is opened is closed, and collects what is fetched."""

    VOID = frozenset({"meta", "path", "use", "rect", "circle", "line", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        told = dict(attrs)
        self.fetched += [told[name] or "" for name in ("src", "srcset") if name in told]
        if tag != "a" and not (told.get("href") or "#").startswith("#"):
            self.fetched.append(str(told["href"]))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.fetched == []
    assert "url(http" not in page
    assert "@import" not in page
    assert "<script" not in page


def test_the_figures_of_the_page_are_those_of_the_validation(page: str) -> None:
    validation = validated()[3]
    text = re.sub(r"<[^>]+>", " ", page)
    for figure in (
        f"{validation.out_of_time.auc.value:.3f}",
        f"{validation.out_of_time.log_loss:.4f}",
        f"{validation.calibration.ratio:.2f}",
        f"{100 * validation.truth[0].share:.1f} %",
        f"{validation.calibration.test.p_value:.3f}",
    ):
        assert figure in text
    for feature in validation.shapes:
        assert feature.feature in text
    assert page.count("<svg") == 12


def test_the_same_figures_give_the_same_bytes(page: str, gate: GateRecord, tmp_path: Path) -> None:
    validation = whole()
    assert html(validation, gate) == page
    first, second = (plot_summary(validation, tmp_path / name) for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(b"\x89PNG")
    assert first.stat().st_size > 30_000


def test_a_sound_scorer_has_no_findings_about_its_conduct() -> None:
    told = [text for light, text in findings(validated()[3]) if light == "red"]
    grades = [band for band in validated()[3].calibration.grades if band.light == "red"]
    assert [text[:8] for text in told] == [f"Grade {band.name}" for band in grades]


def test_what_is_wrong_is_told_first_and_by_name() -> None:
    validation = validated()[3]
    figures = msgspec.structs.replace(
        validation,
        suspicious=(Suspicion("term", 0.946),),
        violations=(Violation("turnover", 17, 0.3),),
        survives_saving=False,
        score_index=0.3,
        calibration=msgspec.structs.replace(
            validation.calibration, light="red", observed=0.1, expected=0.05, ratio=2.0
        ),
        out_of_time=msgspec.structs.replace(
            validation.out_of_time,
            bads=12,
            gini=msgspec.structs.replace(validation.out_of_time.gini, value=0.1),
        ),
    )
    told = " ".join(text for _, text in findings(figures))
    for part in ("term alone", "turnover for 17", "too low", "Gini fell", "Only 12", "loaded"):
        assert part in told
    assert "term" in html(figures)


@pytest.fixture(scope="module")
def bare() -> str:
    """The page of a validation that has no dates, segments, truth or groups, by a hostile name."""
    return html(
        msgspec.structs.replace(
            validated()[3], months=(), segments=(), truth=(), fairness=(), flow=(),
            faithfulness=None, about={"model": "<script>alert(1)</script>"},
        )
    )  # fmt: skip


def test_names_from_the_data_cannot_change_the_page(bare: str) -> None:
    assert "alert(1)" in bare
    assert "<script" not in bare


def test_a_validation_without_dates_segments_truth_or_groups_still_makes_a_page(bare: str) -> None:
    assert "no proof of fairness" in bare
    assert "Against the truth" not in bare


def test_names_in_chinese_are_text_in_a_picture_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "餐饮" in svg(lambda ax: ax.set_title("餐饮"))


def test_the_contents_name_every_chapter_and_how_to_read_it(page: str) -> None:
    told = list(CHAPTERS)
    assert re.findall(r'<li><a href="#(\w+)">', page) == told
    assert re.findall(r'<h2 id="(\w+)">(\d+)', page) == [
        (name, str(number)) for number, name in enumerate(told, 1)
    ]
    for name in told:
        assert page.count(CHAPTERS[name][1].split("'")[0]) == 2, "in the contents and beneath"


def test_rivals_doubt_and_the_declined_are_told_with_their_figures(page: str) -> None:
    for told in (
        ("WoE scorecard", "0.654", "0.1234", "-0.032", "0.001", "ten bins"),
        ("EBM", "not fitted: interpret is not installed"),
        ("0.37", "0.0456", "1.00 % to 5.00 %"),
        ("0.91", "0.0789", "no outcome"),
        ("nothing else", "5.89 %", "0.0157"),
        ("parcelling", "0.0091", "0.438", "0.0030", "yes"),
    ):
        (row,) = [row for row in page.split("<tr>") if all(part in row for part in told)]
        assert row
    assert "truer than the granted loans alone: parcelling" in page
    assert any("WoE scorecard ranks better" in text for _, text in findings(whole()))


def test_a_finding_of_a_group_names_what_is_amiss_and_nothing_else() -> None:
    male, female = validated()[3].fairness
    level = Interval(1.6, 1.2, 2.1)
    unfair = msgspec.structs.replace(
        validated()[3],
        fairness=(
            msgspec.structs.replace(male, light="amber", observed_over_expected=level),
            msgspec.structs.replace(
                female,
                light="red",
                ratio=Interval(0.7, 0.6, 0.8),
                score_gap=0.25,
                good_gap=Interval(-0.08, -0.1, -0.06),
                observed_over_expected=None,
            ),
        ),
    )
    told = [text for _, text in findings(unfair) if text.startswith("owner_sex")]
    assert told[0] == "owner_sex male: 1.60 defaults for each one expected."
    assert told[1] == (
        "owner_sex female: approval rate 0.70 of male's, mean score +0.25 standard deviations "
        "from male's, approvals among the good -8.0% against male's."
    )


def test_limits_come_from_the_figures() -> None:
    validation = validated()[3]
    area = validation.out_of_time.auc
    told = " ".join(limits(validation))
    assert f"± {(area.high - area.low) / 2:.3f}" in told
    assert "too young" not in told
    immature = msgspec.structs.replace(validation, flow=(Step("immature", 4726),), truth=())
    told = " ".join(limits(immature))
    assert "4,726 granted loans were too young" in told
    assert "how the declined would have done is unknown" in told


def test_the_card_tells_the_same_figures_as_the_validation(gate: GateRecord) -> None:
    validation = validated()[3]
    told = card(validation, gate)
    assert f"{validation.out_of_time.auc.value:.3f} (" in told
    assert "- late_filings, risk rises with it" in told
    assert "## Gate: passed" in told
    untested = msgspec.structs.replace(validation, fairness=())
    assert "fairness was not tested" in card(untested)
