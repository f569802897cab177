"""From an invitation to an account to a team, in a browser: both languages, a phone, no scripts."""

from __future__ import annotations

import re

import exhibition
import pytest
from playwright.sync_api import expect

TEAM = f"/c/{exhibition.COURSE}/team"
PEOPLE = f"/staff/c/{exhibition.COURSE}/people/"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}

READERS = {
    "english": ({}, "Names", "Somebody joined your team"),
    "chinese": ({"locale": "zh-CN"}, "名称", "有人加入了你的小组"),
    "phone": (PHONE, "Names", "Somebody joined your team"),
    "no-scripts": ({"java_script_enabled": False}, "Names", "Somebody joined your team"),
}


def press(page, form):
    page.locator(f"form[action$='{form}'] button").first.click()


@pytest.mark.parametrize("reader", READERS)
def test_an_invited_student_makes_an_account_and_a_team_that_a_friend_joins(visit, server, reader):
    options, names, joined = READERS[reader]
    address, friends = f"{reader}@example.net", f"friend-of-{reader}@example.net"
    staff = visit(exhibition.INSTRUCTOR).page
    staff.goto(server.url + PEOPLE)
    staff.get_by_label("E-mail addresses").fill(address)
    staff.get_by_role("button", name="Invite", exact=True).click()
    expect(staff.get_by_text("1 invitation was sent.")).to_be_visible()
    staff.get_by_label("a team's link also lets in people").check()  # the friend is a stranger
    staff.locator("section[aria-labelledby=teams] form button").click()
    expect(staff.get_by_text("Saved.")).to_be_visible()

    student = visit(**options)
    page = student.page
    student.make_account(server.mailed_link(address, "/join/"), f"Noor {reader}")
    expect(page.get_by_role("link", name="Handwritten digits")).to_be_visible()
    student.check_width()
    page.locator(f"main a[href='{TEAM}']").first.click()
    expect(page.get_by_role("heading", name=names, exact=True)).to_be_visible()
    page.locator("#name").fill(f"The {reader} team")
    page.locator("#pseudonym").fill(f"Quiet {reader}")
    page.locator("section[aria-labelledby=names] form button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"The {reader} team")
    press(page, "team/invite")
    link = page.locator(".secret").inner_text().strip()
    assert link.startswith(f"{server.url}/join/")
    student.check_width()

    friend = visit(**options)
    friend.page.goto(link)
    friend.page.locator("#email").fill(friends)
    friend.check_width()
    press(friend.page, "/account")
    friend.make_account(server.mailed_link(friends, "/sign-up/"), f"Ines {reader}")
    expect(friend.page.get_by_role("heading", level=1)).to_have_text(f"The {reader} team")

    page.goto(f"{server.url}/")
    expect(page.locator("[data-unread]")).to_contain_text("1")
    page.locator("a[href='/notifications']").click()
    expect(page.get_by_text(joined)).to_be_visible()
    student.check_width()
    page.get_by_role("link", name=re.compile(joined)).click()
    expect(page.locator("section[aria-labelledby=members] li")).to_have_count(2)
    expect(page.locator("[data-unread]")).to_have_count(0)


def test_a_forgotten_password_is_chosen_anew_by_mail(visit, server):
    visitor = visit(locale="zh-CN")
    page = visitor.open("/sign-in")
    page.get_by_role("link", name="忘记密码？").click()
    page.locator("#email").fill("sofia@example.org")
    page.locator("main form button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("请查收邮件")
    page.goto(server.mailed_link("sofia@example.org", "/password/"))
    page.locator("#password").fill(exhibition.PASSWORD)  # the same again: others sign in with it
    page.locator("main form button").click()
    expect(page.get_by_text("新密码已生效")).to_be_visible()


def test_a_hostile_team_name_stays_text(visit, server):
    visitor = visit("omar@example.org")
    page = visitor.open(TEAM)
    page.locator("#name").fill("<img src=x onerror=window.hacked=1>")
    page.locator("section[aria-labelledby=names] form button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("<img src=x onerror=window.hacked=1>")
    assert page.evaluate("window.hacked") is None
    staff = visit(exhibition.INSTRUCTOR).page
    staff.goto(server.url + PEOPLE)
    assert staff.evaluate("window.hacked") is None


def test_the_language_chosen_while_signed_in_goes_with_the_account(visit, server):
    first = visit("priya@example.org").page
    first.get_by_role("button", name="中文").click()
    expect(first.locator("html")).to_have_attribute("lang", "zh-Hans")
    second = visit("priya@example.org").page
    expect(second.locator("html")).to_have_attribute("lang", "zh-Hans")
    second.get_by_role("button", name="English").click()
    expect(second.locator("html")).to_have_attribute("lang", "en")


def test_an_address_is_changed_by_the_link_in_the_mail(visit, server):
    visitor = visit("yusuf@example.org", locale="zh-CN")
    page = visitor.open("/account")

    def change(address):
        page.locator("#email").fill(address)
        page.locator("#email-password").fill(exhibition.PASSWORD)
        page.get_by_role("button", name="把链接发给我").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("请查收邮件")
        page.goto(server.mailed_link(address, "/account/email/"))
        page.get_by_role("button", name="更换邮箱").click()
        expect(page.get_by_text("新邮箱已生效")).to_be_visible()
        expect(page.locator("main .title").first).to_contain_text(address)

    change("yusuf@new.example.org")
    page.wait_for_url("**/account")
    change("yusuf@example.org")  # as it was: others sign in with it
