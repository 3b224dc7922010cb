"""The report's page in headless Chromium, without any network."""

from __future__ import annotations

import base64
import shutil
import time

import numpy as np
import pytest

from hypermnesia.experiments.recorded_runs.groups import group
from hypermnesia.experiments.recorded_runs.recorded import find
from hypermnesia.report.page.build import Report, page
from tests.analyzed import write_analyses
from tests.runs import triangle, write_run

pytestmark = [pytest.mark.slow, pytest.mark.browser]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    """Of a page with a group of two finished runs, one of them analyzed, and a run that is going on."""
    path = tmp_path_factory.mktemp("report")
    found = {"inferred": np.diag([9, 8, 7]).tolist(), "replayed": (8, 8)}
    for seed, last in enumerate((0.7, 0.8)):
        write_run(path / f"ours-seed{seed}", f"seed={seed}", matrix=triangle(3, last=last), **found)
    write_analyses(path / "ours-seed0")
    write_run(path / "zwei-seed0", "learner.beta=3", learned=2)
    runs, problems = find([path])
    groups, _ = group(runs)
    (path / "page.html").write_text(page(Report.of(groups, [*problems, "One sentence."]), watched=False), "utf-8")
    return (path / "page.html").as_uri()


@pytest.fixture(scope="module")
def chromium():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not (program and driver):
        pytest.fail("needs chromium and chromedriver; leave these tests out with: -m 'not browser'")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # With both paths given, selenium looks for nothing.
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()


class Opened:
    """The page, freshly opened in a window of a size, in light or dark."""

    def __init__(self, browser, address: str, width: int = 1100, scheme: str = "light") -> None:
        self.browser = browser
        browser.execute_cdp_cmd("Network.enable", {})
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.media("", scheme)
        browser.get("about:blank")
        browser.get(address)
        self.wait("document.documentElement.dataset.drawn === 'yes'")

    def media(self, kind: str, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": features})

    def ask(self, script: str, *arguments):
        return self.browser.execute_script(f"return {script}", *arguments)

    def wait(self, condition: str) -> None:
        deadline = time.monotonic() + 120
        while not self.ask(condition):
            assert time.monotonic() < deadline, condition
            time.sleep(0.02)

    def hover(self, selector: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        element = self.browser.find_element("css selector", selector)
        self.ask("arguments[0].scrollIntoView({block: 'center'})", element)
        ActionChains(self.browser).move_to_element(element).perform()


@pytest.fixture
def opened(chromium, address):
    return lambda **how: Opened(chromium, address, **how)


# The second is what the library that draws makes of it.
ROLES = {"group", "graphics-document"}
VISIBLE = "[...document.querySelectorAll('.chart')].filter(chart => chart.checkVisibility())"


def test_every_figure_draws_without_errors_or_network(opened):
    it = opened()
    assert [entry for entry in it.browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    assert it.ask("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length") == 0
    names = it.ask(f"{VISIBLE}.map(chart => chart.dataset.chart)")
    assert {"accuracy-matrix-ours", "task-curves-ours", "replay-ours", "ranking-accuracy", "time-ours"} <= set(names)
    assert {"embedding-plane-seed0-ours", "weights-seed0-ours", "long-sequence-seed0-ours"} <= set(names)
    assert it.ask(f"{VISIBLE}.every(chart => chart.querySelector('svg .role-mark [aria-label]'))")
    assert it.ask("document.querySelectorAll('#figure-accuracy-matrix-ours svg .mark-rect.role-mark path').length") == 6
    images = it.ask("[...document.querySelectorAll('#figure-replay-ours image')].map(i => i.getBBox().width)")
    assert len(images) == 6
    assert min(images) > 50


@pytest.mark.parametrize("width", [360, 615, 1040])
def test_every_task_is_labeled_at_any_width(opened, width):
    it = opened(width=width)
    labels = "[...document.querySelectorAll('#figure-accuracy-matrix-ours .role-axis-label text')]"
    assert it.ask(f"{labels}.map(label => label.textContent).sort().join('')") == "112233"


def test_hovering_shows_a_value(opened):
    it = opened()
    it.hover("#figure-accuracy-matrix-ours .mark-rect.role-mark path:nth-of-type(4)")
    it.wait("document.querySelector('#vg-tooltip-element')?.classList.contains('visible')")
    told = it.ask("document.querySelector('#vg-tooltip-element').innerText.replace(/\\s+/g, ' ')")
    assert told.strip() == "after learning task 3 tested on task 1 test accuracy (%) 75.00"


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ("embedding-plane-seed0-ours .mark-rect.role-mark path", "accuracy (%) 50.0"),
        ("interpolation-seed0-ours .mark-symbol.role-mark path", "accuracy 90.00"),
        ("transfer-seed0-ours .mark-symbol.role-mark path", "next task 1: digits 0/1"),
        ("weights-seed0-ours .mark-rect.role-mark path", "tasks digits 0/1, digits 0/1"),
        ("long-sequence-seed0-ours .mark-symbol.role-mark path", "task digits 0/1"),
    ],
)
def test_marks_of_analyses_tell_what_they_are(opened, mark, told):
    it = opened()
    it.hover(f"#figure-{mark}")
    text = "document.querySelector('#vg-tooltip-element.visible')?.innerText.replace(/\\s+/g, ' ')"
    it.wait(f"!!{text}")
    assert told in it.ask(text)


def test_a_task_can_be_chosen(opened):
    it = opened()
    strength = (
        "[...document.querySelectorAll('#figure-task-curves-ours .mark-line path')].map(l => l.getAttribute('opacity'))"
    )
    assert set(it.ask(strength)) == {"1"}
    label = "document.querySelector('#figure-task-curves-ours .vega-bind').innerText"
    assert "digits 2/3" in it.ask(label)
    it.browser.find_element("css selector", "#figure-task-curves-ours select").send_keys("2")
    it.wait(f"{strength}.includes('0.12')")
    assert sorted(it.ask(strength)) == ["0.12", "0.12", "1"]


def test_another_group_can_be_chosen_and_survives_reloading(opened):
    it = opened()
    assert "accuracy-matrix-zwei" not in it.ask(f"{VISIBLE}.map(chart => chart.dataset.chart)")
    it.browser.find_element("css selector", "#group").send_keys("z")
    drawn = "document.querySelector('#figure-accuracy-matrix-zwei svg .role-mark path')"
    it.wait(f"!!{drawn}")
    assert "accuracy-matrix-ours" not in it.ask(f"{VISIBLE}.map(chart => chart.dataset.chart)")
    assert it.ask("document.body.innerText.includes('not finished: 2 of 3 tasks; figures are those so far')")
    it.browser.refresh()
    it.wait(f"!!{drawn}")


def test_what_is_folded_is_seen_when_it_is_unfolded(opened):
    it = opened()
    mark = "document.querySelector('#figure-learning-task-loss-ours svg .role-mark path')"
    seen = f"{mark}?.checkVisibility() ?? false"
    assert not it.ask(seen)
    it.browser.find_element("xpath", "//details[summary[contains(., 'More curves')]]/summary").click()
    it.wait(seen)
    assert it.ask(seen)


LUMINANCE = """
    const rgb = color => color.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const light = color => rgb(color).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const paper = light(getComputedStyle(document.body).backgroundColor);
    const contrast = color => (Math.max(light(color), paper) + 0.05) / (Math.min(light(color), paper) + 0.05);
    const style = (selector, name) => [...document.querySelectorAll(selector)]
        .filter(e => e.checkVisibility()).map(e => getComputedStyle(e)[name]).filter(c => c.startsWith("rgb("));
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read_in_light_and_in_dark(opened, scheme):
    it = opened(scheme=scheme)
    paper = it.browser.execute_script(LUMINANCE + "return paper;")
    assert paper > 0.9 if scheme == "light" else paper < 0.05
    texts = "'p, h1, h2, h3, dt, dd, th, td, a, summary, caption, label, select'"
    words = it.browser.execute_script(LUMINANCE + f"return style({texts}, 'color').map(contrast);")
    labels = it.browser.execute_script(
        LUMINANCE + "return style('.role-axis text, .role-legend text', 'fill').map(contrast);"
    )
    lines = it.browser.execute_script(LUMINANCE + "return style('.mark-line.role-mark path', 'stroke').map(contrast);")
    assert min(words) >= 4.5
    assert len(labels) > 20
    assert min(labels) >= 4.5
    assert min(lines) >= 2
    # Charts follow a change of mind at once.
    it.media("", "dark" if scheme == "light" else "light")
    turned = it.browser.execute_script(LUMINANCE + "return [paper, ...style('.role-axis text', 'fill').map(contrast)];")
    assert (turned[0] > 0.5) == (scheme == "dark")
    assert min(turned[1:]) >= 4.5


def test_a_phone_needs_no_scrolling_sideways(opened):
    it = opened(width=360)
    assert it.ask("[innerWidth, document.documentElement.scrollWidth]") == [360, 360]
    for group_ in ("z", "o"):
        it.browser.find_element("css selector", "#group").send_keys(group_)
        it.wait(f"{VISIBLE}.every(chart => chart.querySelector('svg'))")
        assert it.ask("document.documentElement.scrollWidth") == 360
    ends = "chart => (chart.matches('.scroll') ? chart : chart.querySelector('svg')).getBoundingClientRect().right"
    assert it.ask(f"Math.max(...{VISIBLE}.map({ends}))") <= 360
    sizes = it.ask(
        "[...document.querySelectorAll('.chart svg text')].map(t => parseFloat(getComputedStyle(t).fontSize))"
    )
    assert min(sizes) >= 9


def test_charts_of_several_panels_are_scrolled_in_their_own_box(opened):
    it = opened(width=360)
    boxes = "[...document.querySelectorAll('.chart.scroll')]"
    names = {"embedding-plane-seed0-ours", "weights-seed0-ours", "long-sequence-seed0-ours"}
    assert set(it.ask(f"{boxes}.map(box => box.dataset.chart)")) == names
    assert it.ask(f"{boxes}.every(box => box.scrollWidth > box.clientWidth && box.tabIndex === 0)")
    assert it.ask(f"{boxes}.every(box => {{ box.scrollLeft = 9999; return box.scrollLeft > 50; }})")


def test_it_prints_in_black_on_white_whatever_the_screen(opened):
    it = opened(scheme="dark")
    it.media("print", "dark")
    paper, *inks = it.browser.execute_script(
        LUMINANCE + "return [paper, ...style('h1, h2, td, p', 'color').map(contrast),"
        " ...style('.role-axis text', 'fill').map(contrast)];"
    )
    assert paper == 1
    assert min(inks) > 10
    assert it.ask(
        "['nav', '.vega-bindings'].every(s => getComputedStyle(document.querySelector(s)).display === 'none')"
    )
    it.media("", "dark")
    printed = it.browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    assert base64.b64decode(printed["data"]).count(b"/Type /Page\n") > 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_hindrance(opened, scheme):
    from axe_core_python.selenium import Axe

    it = opened(scheme=scheme)
    it.browser.execute_script("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    it.wait(f"{VISIBLE}.every(chart => chart.querySelector('svg, .error'))")
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
    found = Axe().run(it.browser, options={"runOnly": rules})
    assert found["passes"]
    violations = {each["id"]: [node["html"] for node in each["nodes"]][:3] for each in found["violations"]}
    assert violations == {}


def test_every_chart_has_a_sentence_for_those_who_cannot_see_it(opened):
    it = opened()
    sentences = it.ask(
        "[...document.querySelectorAll('.chart')].map(c => [c.getAttribute('role'), c.getAttribute('aria-label')])"
    )
    assert len(sentences) > 10
    short = [(role, text) for role, text in sentences if role not in ROLES or len(text.split()) <= 5 or text[-1] != "."]
    assert short == []
    assert len(set(map(tuple, sentences))) > len(sentences) / 2


def test_the_keyboard_reaches_everything(opened):
    from selenium.webdriver.common.keys import Keys

    it = opened()
    reached = []
    for _ in range(40):
        it.browser.switch_to.active_element.send_keys(Keys.TAB)
        what = it.ask("[document.activeElement.tagName, document.activeElement.id || document.activeElement.innerText]")
        reached.append(tuple(what))
    assert reached[0] == ("A", "Skip to the content")
    assert ("SELECT", "group") in reached
    assert any(tag == "SUMMARY" for tag, _ in reached)
    assert any(tag == "DIV" for tag, _ in reached)  # wide tables scroll by keyboard
    assert it.ask("[...document.querySelectorAll('.chart')].every(c => c.getAttribute('aria-label').length > 20)")
    assert it.ask(
        "[...document.querySelectorAll('select')].every(s => s.labels.length || s.getAttribute('aria-label'))"
    )
    levels = it.ask("[...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert max(np.diff(levels)) == 1
