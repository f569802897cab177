"""The board is searched and switched by keys alone."""

from __future__ import annotations

from playwright.sync_api import expect


def test_choosing_by_keys_loads_nothing_until_it_is_asked_for(visit):
    page = visit("t01@example.org").open("leaderboard")
    page.evaluate("window.sameDocument = true")
    page.get_by_label("hide baselines").focus()
    page.keyboard.press("Space")
    show = page.get_by_role("button", name="Show", exact=True)
    expect(show).to_be_visible()
    assert page.evaluate("window.sameDocument") is True

    page.keyboard.press("Tab")
    expect(show).to_be_focused()
    page.keyboard.press("Enter")

    page.wait_for_url("**baselines=0**")
    expect(page.locator("tr.baseline")).to_have_count(0)


def test_choosing_by_pointer_loads_at_once(visit):
    page = visit("t01@example.org").open("leaderboard")
    expect(page.get_by_role("button", name="Show", exact=True)).to_be_hidden()

    page.get_by_label("hide baselines").click()

    page.wait_for_url("**baselines=0**")
