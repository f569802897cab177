"""Train a softmax classifier with NumPy alone and write predictions.csv.

    python train.py PACK          PACK: the folder that `grader data` downloaded

A starting point that works: read it from the top, then replace `train` and `predict` by your own.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np

EPOCHS = 8
BATCH_SIZE = 256
LEARNING_RATE = 0.2
HELD_OUT = 0.1  # share of the training images that says how good it is
LONGEST_SIDE = 28  # larger images are averaged down to about this many pixels
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "predictions.csv")
    arguments = parser.parse_args()
    about = json.loads((arguments.pack / "assignment.json").read_text(encoding="utf-8"))
    classes = about["classes"]

    images, labels = read_training_set(arguments.pack, classes)
    mean, weights = train(features(images), labels, len(classes))

    test_images = np.load(arguments.pack / "test" / "images.npy", mmap_mode="r")
    predicted = predict(features(test_images), mean, weights)
    write_predictions(arguments.out, about, arguments.pack, predicted)
    print(f"wrote {arguments.out} ({len(predicted)} rows)")


def read_training_set(pack: Path, classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, H, W[, C]) and their class indexes (N,)."""
    folder = pack / "train"
    if not (folder / "images.npy").exists():
        folder = pack / "sample"
        print("the pack has no train/images.npy: training on its few samples, to show the way")
    images = np.load(folder / "images.npy")
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        names = [row["label"] for row in csv.DictReader(file)]
    index_of = {name: index for index, name in enumerate(classes)}
    labels = [int(name) if name.isdigit() else index_of[name] for name in names]
    return images, np.array(labels)


def features(images: np.ndarray) -> np.ndarray:
    """Pixels as float32 rows from 0 to 1, large images averaged down block by block."""
    step = max(1, max(images.shape[1:3]) // LONGEST_SIDE)
    height, width = images.shape[1] // step, images.shape[2] // step
    rows = np.empty((len(images), height * width * int(np.prod(images.shape[3:]))), np.float32)
    for start in range(0, len(images), 1024):
        part = np.asarray(images[start : start + 1024, : height * step, : width * step], np.float32)
        blocks = part.reshape(len(part), height, step, width, step, -1).mean(axis=(2, 4))
        rows[start : start + 1024] = blocks.reshape(len(part), -1) / 255
    return rows


def train(x: np.ndarray, y: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Mini-batch gradient descent on the cross-entropy; the rate falls linearly to zero."""
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(x))
    held_out, kept = np.split(order, [int(len(x) * HELD_OUT)])
    mean = x[kept].mean(axis=0)
    weights = np.zeros((x.shape[1] + 1, num_classes), np.float32)
    for epoch in range(EPOCHS):
        shuffled = rng.permutation(kept)
        rate = LEARNING_RATE * (1 - epoch / EPOCHS)
        for start in range(0, len(kept), BATCH_SIZE):
            rows = shuffled[start : start + BATCH_SIZE]
            batch = with_bias(x[rows], mean)
            error = softmax(batch @ weights)
            error[np.arange(len(rows)), y[rows]] -= 1
            weights -= rate / len(rows) * (batch.T @ error)
        if len(held_out):
            right = predict(x[held_out], mean, weights) == y[held_out]
            print(f"epoch {epoch + 1:2d}: accuracy on held-out images {right.mean():.4f}")
    return mean, weights


def predict(x: np.ndarray, mean: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The most probable class of each row (N,)."""
    return (with_bias(x, mean) @ weights).argmax(axis=1)


def with_bias(x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return np.hstack([x - mean, np.ones((len(x), 1), np.float32)])


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def write_predictions(out: Path, about: dict, pack: Path, predicted: np.ndarray) -> None:
    """Row i of test/images.npy belongs to the i-th id of ids.csv."""
    with (pack / "ids.csv").open(encoding="utf-8", newline="") as file:
        ids = [row[0] for row in list(csv.reader(file))[1:]]
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([about["id_column"], about["label_column"]])
        writer.writerows(zip(ids, predicted.tolist(), strict=True))


if __name__ == "__main__":
    main()
