"""Staff see the scale of the grades as a picture: references with zones, bands, and the teams."""

from __future__ import annotations

import graded
import pytest
from signing_in import signed_in
from small_site import Site, make_site

from leaderboard import create_app
from leaderboard.models import Role
from leaderboard.views.gradebook import scale
from leaderboard.web import charts

PAGE = f"{graded.PAGE}scale"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Three anchors, and two teams whose private scores are known."""
    folder = tmp_path_factory.mktemp("scale")
    made: Site = make_site(folder, graded.write_graded(folder / "animals"))
    for name, wrong in (("ann", 8), ("bob", 40)):
        graded.scored(made, name, wrong)
    return made


def test_references_have_the_grades_scores_and_zones_of_the_scale(site: Site):
    with site.state.database.session() as session:
        shown = scale.picture(session, site.assignment(session))

    assert [(each.name, each.grade) for each in shown.references] == [
        ("linear", 5.0),
        ("lenet5", 3.0),
        ("small_cnn", 1.3),
    ]
    for each in shown.references:
        assert each.low < each.mean < each.high
        assert each.begins == pytest.approx(each.low)
    assert list(shown.teams) == sorted(shown.teams, reverse=True)
    assert len(shown.teams) == 2


def test_the_page_shows_them_to_staff_and_to_no_student(site: Site):
    app = create_app(state=site.state)
    site.person("boss", Role.INSTRUCTOR)
    site.person("aide", Role.ASSISTANT)

    for name in ("boss", "aide"):
        page = signed_in(app, name).get(PAGE)
        assert page.status_code == 200
        assert page.text.count("data-reference=") == 3
        assert page.text.count('class="team"') == 2
        assert page.text.count('class="band ') == 4
    assert signed_in(app, "ann").get(PAGE).status_code in (403, 404)


def test_bands_lie_between_the_knots_and_fill_the_axis():
    drawn = charts.bands(
        charts.axis([0.0, 1.0]), [(0.25, "40"), (0.5, "<b>"), (0.75, "100")], title="Bands"
    )

    assert drawn.count('width="25.0%"') == 4
    assert "&lt;b&gt;" in drawn
    assert 'text-anchor="middle">40<' in drawn
