"""The checker finds the mistakes that reports really make, and accuses nobody wrongly."""

from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics

from grader import METRICS, score
from grader.assignments.answers import answer_key
from grader.claims.claims import Evidence, Slip, examine, parse_claims
from grader.claims.figures import MEANS, ClassFigures, Figure, Printed, right_answers
from grader.claims.reports import check_report
from grader.claims.split_sizes import splits_that_fit
from grader.prediction_csv.predictions import Predictions

REPORTS = Path(__file__).parent / "reports"
# (true macro precision, recall, F1) of the four models, by hand from the printed tables
MARINE = {
    "MyNet": (0.400, 0.409, 0.386),
    "MyNetPro": (0.536, 0.537, 0.518),
    "VGG16": (0.615, 0.596, 0.589),
    "ResNet34": (0.600, 0.581, 0.568),
}


@pytest.fixture(scope="module")
def marine():
    return check_report((REPORTS / "marine_animals.txt").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def confusion():
    """A matrix of a model that is good at some classes and bad at others; class 5 is rare."""
    rng = np.random.default_rng(11)
    matrix = np.zeros((6, 6), dtype=np.int64)
    for true, (images, hit_rate) in enumerate(
        [(310, 0.95), (280, 0.9), (240, 0.5), (205, 0.4), (150, 0.75), (22, 0.2)]
    ):
        guesses = np.where(rng.random(images) < hit_rate, true, rng.integers(6, size=images))
        matrix[true] = np.bincount(guesses, minlength=6)
    return matrix


def explained(confusion, table, **more):
    """The slips found for the claims of `table`, by metric; [] for those that agree."""
    evidence = Evidence(test=ClassFigures.of(confusion), **more)
    findings = examine(parse_claims(table), evidence)
    return {each.claim.metric: [m.slip for m in each.explanation] for each in findings}


def test_the_marine_report_took_the_mean_over_its_first_three_classes(marine):
    assert [each.name for each in marine.checked] == list(MARINE)
    for checked in marine.checked:
        accuracy, *means = checked.findings
        assert accuracy.agrees
        for finding in means:
            (mistake,) = finding.explanation
            assert mistake.slip is Slip.FIRST_CLASSES
            assert dict(mistake.values) == {"last": 2, "classes": 3, "of": 19}
            assert finding.others == ()


def test_the_marine_report_has_these_true_macro_values(marine):
    for checked in marine.checked:
        true = tuple(round(checked.mean(metric).value, 3) for metric in MEANS)
        assert true == MARINE[checked.name]


def test_the_marine_reports_ranking_by_f1_turns(marine):
    (ranking,) = (each for each in marine.rankings if each.metric == "macro_f1")

    assert ranking.turned
    assert ranking.claimed == ("ResNet34", "MyNetPro", "VGG16", "MyNet")
    assert ranking.true == ("VGG16", "ResNet34", "MyNetPro", "MyNet")


def test_the_marine_reports_tables_are_consistent_in_themselves(marine):
    assert [each.own for each in marine.checked] == [()] * 4
    assert [each.odd_rows for each in marine.checked] == [()] * 4


def test_the_marine_reports_two_best_accuracies_are_not_told_apart(marine):
    assert ("VGG16", "ResNet34") in marine.overlapping


def test_models_without_a_table_are_named(marine):
    assert "ResNet34-pretrain-frozen" in [headline.name for headline in marine.unmatched]


def test_the_remote_sensing_matrix_gives_another_accuracy_than_is_printed_beside_it():
    text = (REPORTS / "remote_sensing.txt").read_text(encoding="utf-8")

    (checked,) = check_report(text, parse_claims({"accuracy": "0.8006"})).checked
    (finding,) = checked.findings

    assert (checked.figures.right, checked.figures.total) == (4403, 5472)
    assert not finding.agrees
    assert "claimed 0.8006, measured 0.8046" in str(finding)
    assert finding.explanation[0].slip is Slip.UNCOUNTED_BATCH


def test_of_the_round_splits_only_one_fits_the_class_competition():
    (fit,) = splits_that_fit(5000, Printed.parse("0.90200"), Printed.parse("0.88942"))

    assert (fit.public_right, fit.public_n) == (1353, 1500)
    assert (fit.private_right, fit.private_n) == (3113, 3500)
    assert fit.cut_off
    assert fit.is_noise
    assert fit.z == pytest.approx(1.35, abs=0.005)


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_right_claims_agree(confusion, average):
    labels, predicted = unrolled(confusion)
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
        labels, predicted, average=average, labels=range(6), zero_division=0
    )
    table = {
        "accuracy": f"{sklearn.metrics.accuracy_score(labels, predicted):.4f}",
        f"{average}_precision": f"{100 * precision:.1f}%",
        f"{average}_recall": f"{recall:.2f}",
        f"{average}_f1": f"{f1:.3f}",
    }

    findings = examine(parse_claims(table), Evidence(test=ClassFigures.of(confusion)))

    assert all(finding.agrees for finding in findings)


def unrolled(confusion):
    true, predicted = np.indices(confusion.shape)
    return np.repeat(true.ravel(), confusion.ravel()), np.repeat(
        predicted.ravel(), confusion.ravel()
    )


def test_digits_that_were_cut_off_agree_and_are_said_to_be(confusion):
    accuracy = np.trace(confusion) / confusion.sum()
    cut = f"{int(accuracy * 1e3) / 1e3:.3f}"
    assert cut != f"{accuracy:.3f}"

    (finding,) = examine(parse_claims({"accuracy": cut}), Evidence(test=ClassFigures.of(confusion)))

    assert finding.agrees
    assert finding.cut_off


def test_the_family_of_known_mistakes_is_named(confusion):
    figures = ClassFigures.of(confusion)
    labels, predicted = unrolled(confusion)
    first4 = sklearn.metrics.precision_recall_fscore_support(
        labels, predicted, average="macro", labels=range(4), zero_division=0
    )
    weighted = sklearn.metrics.f1_score(labels, predicted, average="weighted")
    micro = sklearn.metrics.recall_score(labels, predicted, average="micro")

    assert explained(confusion, {"f1": f"{weighted:.4f}"}) == {"macro_f1": [Slip.WEIGHTED]}
    assert explained(confusion, {"precision": f"{micro:.4f}"}) == {"macro_precision": [Slip.MICRO]}
    assert explained(confusion, {"f1": f"{figures.f1_of_means().value:.4f}"}) == {
        "macro_f1": [Slip.F1_OF_MEANS]
    }
    means = zip(("precision", "recall", "f1"), first4, strict=False)
    assert explained(confusion, {name: f"{value:.3f}" for name, value in means}) == {
        metric: [Slip.FIRST_CLASSES] for metric in MEANS
    }
    accuracy = figures.accuracy().value
    assert explained(confusion, {"accuracy": f"{100 * accuracy:.2f}"}) == {
        "accuracy": [Slip.PERCENT]
    }
    up = f"{np.ceil(accuracy * 1e5) / 1e5:.5f}"
    assert not Printed.parse(up).fits(Figure(value=accuracy))
    assert explained(confusion, {"accuracy": up})["accuracy"] == [Slip.ROUNDED_UP]


def test_percent_and_another_mistake_are_found_together(confusion):
    first3 = ClassFigures.of(confusion).macro_of_first(3, "macro_recall").value

    assert explained(confusion, {"recall": f"{100 * first3:.2f}"}) == {
        "macro_recall": [Slip.PERCENT, Slip.FIRST_CLASSES]
    }


def test_the_public_score_called_the_test_score_is_named(confusion):
    rng = np.random.default_rng(2)
    public = np.array([rng.multinomial(row.sum() // 3, row / row.sum()) for row in confusion])
    claimed = f"{np.trace(public) / public.sum():.4f}"

    found = explained(confusion, {"accuracy": claimed}, public=ClassFigures.of(public))

    assert found == {"accuracy": [Slip.PUBLIC_AS_TEST]}


def test_a_validation_sized_denominator_is_named(confusion):
    right = int(np.trace(confusion))

    found = explained(
        confusion, {"accuracy": f"{right / 1500:.4f}"}, other_sizes={"the validation set": 1500}
    )

    assert found == {"accuracy": [Slip.OTHER_DENOMINATOR]}


@pytest.mark.parametrize("batch", [32, 64, 100])
def test_a_dropped_last_batch_is_computed_where_the_order_is_known(confusion, batch):
    total, right = int(confusion.sum()), int(np.trace(confusion))
    in_order = np.random.default_rng(5).permutation(np.arange(total) < right)
    kept = total - total % batch
    dropped, uncounted = in_order[:kept].mean(), in_order[:kept].sum() / total

    for value, slip in ((dropped, Slip.DROPPED_BATCH), (uncounted, Slip.UNCOUNTED_BATCH)):
        found = explained(confusion, {"accuracy": f"{value:.6f}"}, right_in_order=in_order)
        assert found == {"accuracy": [slip]}


def test_a_class_without_images_left_out_of_the_mean_is_named():
    confusion = np.array([[40, 10, 0], [10, 20, 0], [0, 0, 0]])
    present = ClassFigures.of(confusion).macro_of_present("macro_recall").value

    assert explained(confusion, {"recall": f"{present:.4f}"})["macro_recall"] == [Slip.PRESENT_ONLY]


def test_a_coarse_claim_is_not_explained_by_a_batch_that_would_fit_by_chance(confusion):
    accuracy = np.trace(confusion) / confusion.sum()

    assert explained(confusion, {"accuracy": f"{accuracy - 0.03:.2f}"}) == {"accuracy": []}


def test_a_claim_that_nothing_explains_is_left_unexplained(confusion):
    assert explained(confusion, {"accuracy": "0.123456", "f1": "0.999999"}) == {
        "accuracy": [],
        "macro_f1": [],
    }


def test_a_metric_that_was_not_measured_is_not_held_against_anybody(confusion):
    (finding,) = examine(parse_claims({"log_loss": 0.3}), Evidence(test=ClassFigures.of(confusion)))

    assert finding.measured is None
    assert "nothing here measures that" in str(finding)


def test_evidence_comes_from_scores_of_real_predictions():
    rng = np.random.default_rng(8)
    labels = rng.integers(4, size=600)
    ids = tuple(map(str, range(600)))
    probabilities = rng.dirichlet(np.ones(4), size=600)
    key = answer_key(ids, labels, np.arange(600) < 200, ("a", "b", "c", "d"))
    scores = score(Predictions(ids, probabilities.argmax(axis=1), probabilities), key)
    evidence = Evidence.of_scores(scores.private, scores.public)
    table = {
        name: f"{getattr(scores.private, name):.5f}"
        for name in METRICS
        if getattr(scores.private, name) is not None
    }

    assert "log_loss" in table
    assert all(finding.agrees for finding in examine(parse_claims(table), evidence))


def test_a_claim_below_zero_is_read_where_the_metric_may_be_below_zero():
    confusion = np.array([[40, 60], [60, 40]])
    table = {"kappa": "-0.20", "mcc": -0.3}
    right, wrong = examine(parse_claims(table), Evidence(test=ClassFigures.of(confusion)))

    assert right.claim.metric == "cohen_kappa"
    assert right.agrees
    assert wrong.measured == Figure(value=pytest.approx(-0.2))
    assert not wrong.agrees


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"accurracy": 0.9}, "'accurracy' is no metric"),
        ({"accuracy": "about .9"}, "plain decimal"),
        ({"accuracy": True}, "no number"),
        ({"accuracy": "-0.1"}, "plain decimal"),
        ({"accuracy": "٠.٩"}, "plain decimal"),
    ],
)
def test_a_claim_that_cannot_be_read_is_named(table, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_claims(table)


def test_printed_figures_keep_their_last_digit():
    assert Printed.parse("0.760").fits(Figure(value=0.7604))
    assert not Printed.parse("0.760").fits(Figure(value=0.7606))
    assert Printed.parse("0.76").fits(Figure(value=0.7649))
    assert Printed.parse("76%").fits(Figure(value=0.7649))
    assert Printed.parse("0.8").fits(Figure(value=0.76))
    assert not Printed.parse("1").fits(Figure(value=0.9))


def test_recalls_give_back_the_right_answers_where_a_class_is_small():
    for images in (1, 7, 50, 99):
        for right in range(images + 1):
            printed = Printed.parse(f"{right / images:.2f}")
            assert right_answers(printed, images) == (right,)


CLASSIFICATION_REPORT = """
              precision    recall  f1-score   support

 T-shirt/top       0.80      0.80      0.80        10
  Ankle boot       0.80      0.80      0.80        10

    accuracy                           0.80        20
   macro avg       0.80      0.80      0.80        20
weighted avg       0.80      0.80      0.80        20
"""


@pytest.mark.parametrize(
    "text",
    [
        CLASSIFICATION_REPORT,
        "class,precision,recall,f1,support\na,0.80,0.80,0.80,10\nb,0.80,0.80,0.80,10\n",
        "| class | precision | recall | f1 | support |\n|---|---|---|---|---|\n"
        "| a | 0.80 | 0.80 | 0.80 | 10 |\n| b | 0.80 | 0.80 | 0.80 | 10 |\n",
        "class\trecall\tprecision\tf1-score\tsupport\na\t0.80\t0.80\t0.80\t10\n"
        "b\t0.80\t0.80\t0.80\t10\n",
    ],
    ids=["as scikit-learn prints", "CSV", "Markdown", "tabs, another order"],
)
def test_class_tables_are_read_however_they_are_pasted(text):
    (checked,) = check_report(text, parse_claims({"acc": 0.8, "f1": 0.8})).checked

    assert checked.figures.num_classes == 2
    assert all(finding.agrees for finding in checked.findings)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("macro avg       0.80", "macro avg       0.85", "own"),
        ("                   0.80        20", "                   0.90        20", "own"),
        (
            "Ankle boot       0.80      0.80      0.80",
            "Ankle boot       0.80      0.80      0.90",
            "odd_rows",
        ),
        ("Ankle boot       0.80      0.80", "Ankle boot       0.77      0.83", "odd_rows"),
    ],
)
def test_a_table_that_contradicts_itself_is_caught(old, new, where):
    assert old in CLASSIFICATION_REPORT

    check = check_report(CLASSIFICATION_REPORT.replace(old, new))

    assert getattr(check.checked[0], where)
    assert not check.holds


@pytest.mark.parametrize("seed", range(30))
def test_no_honest_report_of_scikit_learn_is_accused(seed):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 30))
    labels = rng.integers(classes, size=800)
    predicted = np.where(rng.random(800) < 0.7, labels, rng.integers(classes, size=800))
    text = sklearn.metrics.classification_report(labels, predicted, digits=int(rng.integers(2, 5)))
    accuracy = f"{np.mean(labels == predicted):.4f}"
    f1 = f"{sklearn.metrics.f1_score(labels, predicted, average='macro'):.4f}"

    check = check_report(text, parse_claims({"accuracy": accuracy, "f1": f1}))

    assert check.holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "precision and recall and accuracy were 0.9, 0.8 and 0.7 in all cases",
        "1 2 3\n4 5\n",
        "0 0\n0 0\n",
        "precision recall f1 support\n",
        "model acc f1\n\n\n",
        "\x00\t,,,|||\n" * 50,
    ],
)
def test_text_without_tables_gives_nothing_and_no_error(text):
    assert check_report(text).checked == ()
