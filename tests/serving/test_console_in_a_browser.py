"""The console as an officer uses it: a real browser, a real service, a real journal."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from serving.desk.overrides import overrides_of
from serving.journal.entries import OF_DECISION
from serving.web.keys import create_key
from tests.pipelines.feeds import credit_code
from tests.serving.conftest import NOW, Desk

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("chromium") and shutil.which("chromedriver")),
        reason="needs Debian's chromium and chromium-driver",
    ),
]
SECONDS = 60
HOSTILE = (
    "<img src=x onerror='window.hurt=1'>",
    "<script>window.hurt=1</script>",
    "\"><svg onload='window.hurt=1'>",
    "javascript:window.hurt=1",
    "{{constructor.constructor('window.hurt=1')()}}",
    "\u202e<iframe srcdoc='<script>parent.hurt=1</script>'>",
)


class Officer:
    """Somebody before the console."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver = driver
        self.address = address

    def sees(self, css: str, text: str = "") -> Any:
        """The first element that holds ``text``, waited for."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.wait import WebDriverWait

        def found(driver: Any) -> Any:
            each = driver.find_elements("css selector", css)
            return next((element for element in each if text in element.text), None)

        waiting = WebDriverWait(
            self.driver, SECONDS, 0.05, ignored_exceptions=[StaleElementReferenceException]
        )
        return waiting.until(found, f"no {css} with {text!r}")

    def signs_in(self, key: str) -> None:
        self.driver.get(self.address)
        self.sees("input[name=key]").send_keys(key)
        self.sees("form button").click()

    def fills(self, **fields: object) -> None:
        for name, value in fields.items():
            field = self.sees(f"[name={name}]")
            self.driver.execute_script("arguments[0].value = arguments[1]", field, str(value))

    def opens(self, panel: str) -> Any:
        """The form under a summary."""
        found = self.sees("details.panel", panel)
        self.driver.execute_script("arguments[0].open = true", found)
        return found

    def complaints(self) -> list[str]:
        """What the browser's console says."""
        return [line["message"] for line in self.driver.get_log("browser")]


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for each in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--lang=en-US"):
        options.add_argument(each)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def officer(desk: Desk, driver: Any) -> Iterator[Officer]:
    """Before the desk's console, signed in."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = uvicorn.Server(uvicorn.Config(desk.app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        officer = Officer(driver, f"http://127.0.0.1:{taken.getsockname()[1]}")
        officer.signs_in(desk.key)
        officer.sees("h1", "New application")
        yield officer
        driver.execute_script("sessionStorage.clear()")
        server.should_exit = True
        thread.join()


def applies(officer: Officer, number: int, **changes: object) -> None:
    fields = {"business_id": credit_code(number), "amount": 20_000, "application_id": f"A-{number}"}
    officer.fills(**(fields | changes))


def decides(officer: Officer) -> None:
    officer.sees("button[value=decide]").click()
    officer.sees(".decision .verdict")


def test_a_quote_shows_an_outcome_and_records_nothing(officer: Officer, desk: Desk) -> None:
    applies(officer, 1)
    officer.sees("button[value=quote]").click()
    assert officer.sees(".verdict").text in {"Approve", "Refer", "Decline"}
    assert desk.service.journal.rows("SELECT * FROM entry") == []
    assert officer.complaints() == []


def test_a_decision_is_recorded_shown_found_and_told_in_chinese(
    officer: Officer, desk: Desk
) -> None:
    applies(officer, 2)
    decides(officer)
    assert len(desk.service.journal.rows("SELECT * FROM entry")) == 1
    assert credit_code(2) in officer.sees(".decision").text
    officer.sees("header nav a", "Decisions").click()
    officer.sees("td a", "A-2").click()
    officer.sees("header button", "中文").click()
    assert officer.sees(".decision .verdict").text in {"批准", "转人工", "拒绝"}
    officer.sees("header button", "English").click()
    officer.sees("h1", "Application A-2")
    assert officer.complaints() == []


def test_an_answer_that_never_came_is_asked_for_again_and_recorded_once(
    officer: Officer, desk: Desk
) -> None:
    officer.driver.execute_script("""
        const real = window.fetch;
        window.fetch = async (path, asked) => {
          const answer = await real(path, asked);
          if (path !== "/v1/decisions" || window.lost) return answer;
          window.lost = 1;
          throw new TypeError("the line broke");
        }""")
    applies(officer, 3)
    decides(officer)
    assert officer.driver.execute_script("return window.lost") == 1
    assert len(desk.service.journal.rows("SELECT * FROM entry")) == 1


def test_an_address_fills_in_the_form_in_beijing_time(officer: Officer) -> None:
    asked = f"business_id={credit_code(8)}&amount=30000&applied_at=2024-07-21T16%3A30%3A00Z"
    officer.driver.get(f"{officer.address}/console/#/apply?{asked}")
    wanted = {"business_id": credit_code(8), "amount": "30000", "applied_at": "2024-07-22T00:30"}
    for name, value in wanted.items():
        officer.sees(f"[name={name}][value='{value}']")


def test_a_broken_rule_is_told_with_its_field(officer: Officer) -> None:
    applies(officer, 4, business_id=credit_code(4)[:-1] + "I")  # no code has this letter
    officer.sees("button[value=quote]").click()
    assert "/business_id" in officer.sees(".refusal").text


def test_a_second_person_approves_an_override(officer: Officer, desk: Desk) -> None:
    applies(officer, 5, amount=400_000)
    decides(officer)
    panel = officer.opens("Override")
    text = "The receipts were seen at the counter."
    panel.find_element("css selector", "textarea").send_keys(text)
    panel.find_element("css selector", "button").click()
    officer.sees("td", "Awaits approval")
    address = officer.driver.current_url
    officer.sees("header button", "Sign out").click()
    supervisor = create_key(desk.keys_path, "second", ["supervisor"], now=NOW)
    officer.sees("input[name=key]").send_keys(supervisor)
    officer.sees("form button").click()
    panel = officer.sees("details.panel", "Second person")
    panel.find_element("css selector", "textarea").send_keys("Seen and agreed with the branch.")
    panel.find_element("css selector", "button[value=true]").click()
    officer.sees("td", "Approved")
    decision = desk.service.journal.by_decision(address.rpartition("/")[2])
    assert decision
    history = desk.service.journal.select(OF_DECISION, decision.decision_id)
    assert [each.status for each in overrides_of(history)] == ["approved"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_of_an_officer_stay_words(officer: Officer, hostile: str) -> None:
    applies(officer, 6)
    decides(officer)
    panel = officer.opens("Override")
    area = panel.find_element("css selector", "textarea")
    officer.driver.execute_script("arguments[0].value = arguments[1]", area, f"{hostile} padding")
    panel.find_element("css selector", "button").click()
    assert hostile in officer.sees("td", "padding").text
    assert officer.driver.execute_script("return window.hurt") is None


def test_a_key_that_was_revoked_leads_back_to_the_door(
    officer: Officer, revoke: Callable[[], None]
) -> None:
    revoke()
    applies(officer, 7)
    officer.sees("button[value=quote]").click()
    assert "unauthenticated" in officer.sees(".refusal").text


@pytest.fixture
def revoke(desk: Desk) -> Callable[[], None]:
    from serving.web.keys import revoke_key

    return lambda: revoke_key(desk.keys_path, desk.key.split("_")[1])
