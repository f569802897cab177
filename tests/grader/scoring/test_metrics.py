"""Every metric against scikit-learn, over random cases and by hand."""

import numpy as np
import pytest
import sklearn
import sklearn.metrics as peer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader import METRICS, AnswerKey, Predictions, Score, roc_curves, score
from grader.errors import MetricUnavailable
from grader.scoring import formulas
from grader.scoring import metrics as ours
from grader.scoring.scoring import FALSE_POSITIVE_RATES

EXACT = {"rtol": 0, "atol": 1e-12}
MANY = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
COUNTS = pytest.mark.parametrize("count", [500, pytest.param(2_000, marks=pytest.mark.long)])


# Undefined quotients, absent classes and unequal sums are what these tests are about.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning:sklearn.*"),
]


@pytest.fixture(autouse=True, scope="module")
def sklearn_without_its_own_checks():
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        yield


@st.composite
def label_cases(draw):
    """Labels and predictions: 2–1000 classes, absent classes, one-row sets."""
    most_classes = draw(st.sampled_from((3, 5, 5, 10, 10, 10, 20, 20, 100, 1000)))
    num_classes = draw(st.integers(2, most_classes))
    rows = draw(st.one_of(st.integers(1, 3), st.integers(1, 300)))
    seed = draw(st.integers(0, 2**32 - 1))
    right = draw(st.sampled_from((0.0, 0.3, 0.9, 1.0)))
    rng = np.random.default_rng(seed)
    present = rng.choice(num_classes, rng.integers(1, num_classes + 1), replace=False)
    labels = rng.choice(present, rows)
    guesses = rng.integers(0, num_classes, rows)
    return labels, np.where(rng.random(rows) < right, labels, guesses), num_classes


@st.composite
def score_cases(draw):
    """Labels and scores: real, tied or one-hot, as probabilities or not."""
    labels, _, num_classes = draw(label_cases())
    labels = labels[: max(1, 20_000 // num_classes)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.random((len(labels), num_classes))
    kind = draw(st.sampled_from(("real", "tied", "one-hot")))
    if kind == "tied":
        scores = np.round(scores * 3) + (scores.sum(axis=1, keepdims=True) < -1)
        scores[:, 0] += 1
    elif kind == "one-hot":
        scores = np.eye(num_classes)[scores.argmax(axis=1)]
    return labels, scores / scores.sum(axis=1, keepdims=True), num_classes


@COUNTS
def test_label_metrics_equal_scikit_learn(count):
    settings(MANY, max_examples=count)(given(label_cases())(label_metrics_are_equal))()


def label_metrics_are_equal(case):
    labels, predicted, num_classes = case
    every = np.arange(num_classes)
    confusion = ours.confusion_matrix(labels, predicted, num_classes)
    assert (confusion == peer.confusion_matrix(labels, predicted, labels=every)).all()
    theirs = peer.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    np.testing.assert_allclose(ours.per_class(confusion), theirs[:3], **EXACT)
    assert (ours.support(confusion) == theirs[3]).all()
    theirs = of_scikit_learn(labels, predicted, every)
    for name, mine in formulas.of_confusion(confusion).items():
        assert abs(mine - theirs[name]) <= 1e-12, name


def of_scikit_learn(labels, predicted, every):
    """The same by its functions, which give precision, recall and F1 at once."""
    found = {
        "accuracy": peer.accuracy_score(labels, predicted),
        "balanced_accuracy": peer.balanced_accuracy_score(labels, predicted),
        # undefined where there is one class only; 0 here
        "cohen_kappa": np.nan_to_num(peer.cohen_kappa_score(labels, predicted)),
        "matthews_corrcoef": peer.matthews_corrcoef(labels, predicted),
    }
    for average in ("macro", "weighted"):
        means = peer.precision_recall_fscore_support(
            labels, predicted, labels=every, average=average, zero_division=0
        )
        names = (f"{average}_{name}" for name in ("precision", "recall", "f1"))
        found |= dict(zip(names, means, strict=False))  # the fourth is no mean
    return found


@COUNTS
def test_score_metrics_equal_scikit_learn(count):
    settings(MANY, max_examples=count)(given(score_cases())(score_metrics_are_equal))()


def score_metrics_are_equal(case):
    labels, scores, num_classes = case
    every = np.arange(num_classes)
    assert ours.are_probabilities(scores)
    theirs = peer.log_loss(labels, scores, labels=every)
    assert ours.log_loss(labels, scores) == pytest.approx(theirs, rel=1e-12, abs=1e-12)
    if num_classes > 2:  # of two classes scikit-learn takes one column only
        theirs = peer.top_k_accuracy_score(labels, scores, k=5, labels=every)
        assert abs(ours.top_k_accuracy(labels, scores) - theirs) <= 1e-12
    index = int(labels[0])
    positive = labels == index
    mine, curve = (
        ours.roc_auc(positive, scores[:, index]),
        ours.roc_curve(positive, scores[:, index]),
    )
    if positive.all():
        assert mine is curve is None
        return
    assert abs(mine - peer.roc_auc_score(positive, scores[:, index])) <= 1e-12
    false, true, thresholds = peer.roc_curve(positive, scores[:, index])
    np.testing.assert_allclose(curve.false_positive_rate, false, **EXACT)
    np.testing.assert_allclose(curve.true_positive_rate, true, **EXACT)
    np.testing.assert_array_equal(curve.thresholds, thresholds)


def test_class_without_images_has_no_auc_and_no_curve():
    for positive in (np.zeros(3, dtype=bool), np.ones(3, dtype=bool)):
        assert ours.roc_auc(positive, np.arange(3.0)) is None
        assert ours.roc_curve(positive, np.arange(3.0)) is None


def answer_key(labels, public, num_classes):
    return AnswerKey(
        ids=tuple(map(str, range(len(labels)))),
        labels=np.asarray(labels),
        public=np.asarray(public),
        num_classes=num_classes,
        classes=tuple(f"class {index}" for index in range(num_classes)),
        sha256="",
    )


@settings(MANY, max_examples=300)
@given(label_cases())
def test_both_splits_of_one_pass_equal_two_separate_passes(case):
    labels, predicted, num_classes = case
    labels, predicted = np.tile(labels, 2), np.append(predicted, predicted[::-1])
    public = np.arange(len(labels)) % 3 == 0
    key = answer_key(labels, public, num_classes)
    both = score(Predictions(key.ids, predicted), key)
    for rows, one in ((public, both.public), (~public, both.private)):
        alone = ours.confusion_matrix(labels[rows], predicted[rows], num_classes)
        assert (one.confusion == alone).all()
        assert one.n == rows.sum()
        assert one.accuracy == formulas.of_confusion(alone)["accuracy"]
        assert one.macro_f1 == formulas.of_confusion(alone)["macro_f1"]
        assert [each.support for each in one.per_class] == alone.sum(axis=1).tolist()


def scored_example():
    rng = np.random.default_rng(1)
    labels = np.tile(np.arange(7), 30)
    key = answer_key(labels, rng.random(len(labels)) < 0.4, 7)
    scores = rng.random((len(labels), 7)) + 0.7 * np.eye(7)[labels]
    scores /= scores.sum(axis=1, keepdims=True)
    return key, Predictions(key.ids, scores.argmax(axis=1), scores)


def test_score_holds_what_the_metrics_say():
    key, predictions = scored_example()
    one = score(predictions, key).private
    labels, scores = key.labels[~key.public], predictions.scores[~key.public]
    assert one.metric("top5_accuracy") == ours.top_k_accuracy(labels, scores)
    assert one.metric("log_loss") == ours.log_loss(labels, scores)
    theirs = peer.roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    assert abs(one.metric("macro_auc") - theirs) <= 1e-12
    assert [each.auc for each in one.per_class] == [
        ours.roc_auc(labels == index, scores[:, index]) for index in range(7)
    ]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=60).filter(
        lambda pairs: len({positive for positive, _ in pairs}) == 2
    )
)
def test_heights_of_the_roc_curve_equal_scikit_learns(pairs):
    positive = np.array([each[0] for each in pairs])
    scores = np.array([each[1] for each in pairs]) / 10
    rates = (0.0, 0.05, 0.1, 0.25, 0.5, 0.99, 1.0)
    false, true, _ = peer.roc_curve(positive, scores, drop_intermediate=False)
    expected = tuple(true[false <= rate + 1e-9].max() for rate in rates)
    assert ours.roc_summary(positive, scores, at=rates).true_positive_rates == expected


def test_a_score_keeps_its_roc_curves_coarsely():
    key, predictions = scored_example()
    one = score(predictions, key).public
    assert all(len(each.roc) == len(FALSE_POSITIVE_RATES) for each in one.per_class)
    labels_only = score(Predictions(key.ids, predictions.labels), key).public
    assert all("roc" not in each for each in labels_only.as_dict()["per_class"])


def test_every_metric_has_a_direction_and_a_value():
    key, predictions = scored_example()
    one = score(predictions, key).public
    assert [name for name, each in METRICS.items() if not each.higher_is_better] == ["log_loss"]
    assert all(isinstance(one.metric(name), float) for name in METRICS)


def test_score_metrics_are_unavailable_without_scores():
    key, predictions = scored_example()
    one = score(Predictions(key.ids, predictions.labels), key).public
    for name, metric in METRICS.items():
        if metric.needs_scores:
            with pytest.raises(MetricUnavailable, match="one column a class"):
                one.metric(name)


def test_log_loss_is_unavailable_for_scores_that_are_no_probabilities():
    key, predictions = scored_example()
    logits = Predictions(key.ids, predictions.labels, predictions.scores * 2)
    one = score(logits, key).public
    assert one.log_loss is None
    assert one.macro_auc is not None


def test_score_survives_json():
    key, predictions = scored_example()
    one = score(predictions, key).public
    again = Score.from_dict(one.as_dict())
    assert again.as_dict() == one.as_dict()
    assert again.per_class == one.per_class
    assert (again.confusion == one.confusion).all()


def test_predictions_in_another_order_score_the_same():
    key, predictions = scored_example()
    order = np.random.default_rng(2).permutation(len(key.ids))
    shuffled = Predictions(
        tuple(key.ids[row] for row in order), predictions.labels[order], predictions.scores[order]
    )
    assert score(shuffled, key).private.as_dict() == score(predictions, key).private.as_dict()


def test_predictions_for_other_rows_are_refused():
    key, predictions = scored_example()
    with pytest.raises(ValueError, match="not for the rows"):
        score(Predictions(key.ids[1:], predictions.labels[1:]), key)
    with pytest.raises(ValueError, match="not for the rows"):
        score(Predictions((*key.ids[1:], "other"), predictions.labels), key)


def test_the_answers_score_one():
    key, _ = scored_example()
    scores = np.eye(7)[key.labels]
    both = score(Predictions(key.ids, key.labels, scores), key)
    for one in (both.public, both.private):
        values = {name: one.metric(name) for name in METRICS}
        assert values.pop("log_loss") == pytest.approx(0, abs=1e-12)
        assert set(values.values()) == {1.0}


def test_absent_classes_count_in_macro_means_but_not_in_balanced_accuracy():
    labels = np.array([0, 0, 1, 1])
    values = formulas.of_confusion(ours.confusion_matrix(labels, labels, 4))
    assert values["macro_f1"] == 0.5
    assert values["balanced_accuracy"] == 1.0


def test_agreement_beyond_chance_is_zero_where_there_is_one_class_and_may_be_below():
    one_class = formulas.of_confusion(np.array([[5, 0], [0, 0]]))
    assert one_class["cohen_kappa"] == one_class["matthews_corrcoef"] == 0.0
    one_guess = formulas.of_confusion(np.array([[5, 0], [5, 0]]))
    assert one_guess["cohen_kappa"] == one_guess["matthews_corrcoef"] == 0.0
    all_wrong = formulas.of_confusion(np.array([[0, 5], [5, 0]]))
    assert all_wrong["cohen_kappa"] == all_wrong["matthews_corrcoef"] == -1.0


def test_nothing_to_score_is_an_error_and_not_zero():
    with pytest.raises(ValueError, match="no rows"):
        formulas.of_confusion(np.zeros((3, 3), dtype=np.int64))


def test_roc_curves_are_given_for_the_classes_that_have_one():
    key, predictions = scored_example()
    curves = roc_curves(predictions, key, public=True)
    assert list(curves) == list(key.classes)
    one = score(predictions, key).public
    for each in one.per_class:
        curve = curves[each.name]
        area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
        assert area == pytest.approx(each.auc, abs=1e-12)
    with pytest.raises(MetricUnavailable):
        roc_curves(Predictions(key.ids, predictions.labels), key, public=True)
