"""Who is flagged MEM: honest networks and tables of images, on the real Fashion-MNIST.

    python tests/bench/memorised.py [--networks NAME…] [--seeds S] [--epochs E] [--runs R]

The networks are the registry's that take 28×28 images, trained here; each meets every test image
with the noise that the sandbox plants. Then runs are drawn: so many copies of random images, and
the test of `grader.scoring.memorised` on what was lost. A table knows the label of every test image
by a key, and asks a network, or says class 0, where a key is not in it. Some minutes on two cores.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from grader.scoring.memorised import HONEST_LOSS, losses, with_order
from reference import models
from sandbox.run.feed import NOISE

NETWORKS = ("lenet1", "lenet4", "lenet5", "simple_cnn", "small_cnn")
COPIES = (128, 256)
Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="lenet5 among them")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument(
        "--drawn", action="store_true", help="the tests of order alone, no training"
    )
    options = parser.parse_args()
    if options.drawn:
        tell_drawn(options.runs)
        return
    torch.set_num_threads(1)  # on a busy machine several wait for each other
    train, train_labels = read(options.data, "train")
    test, truth = read(options.data, "t10k")
    noisy = with_noise(test, seed=1)

    print(f"honest, {options.runs} runs each | right | lost on copies | flagged of 128 | of 256")
    fallback: tuple[Labels, Labels] | None = None
    for name in options.networks:
        for seed in range(options.seeds):
            network = trained(name, train, train_labels, seed, options.epochs)
            answers = predict(network, test), predict(network, noisy)
            tell(f"{name}, seed {seed}", answers, truth, options.runs)
            fallback = answers if name == "lenet5" and seed == 0 else fallback
    assert fallback is not None
    print("tables of all test images | right | lost on copies | caught of 128 | of 256")
    for table, key in KEYS.items():
        for words, (_, there) in (("a network", fallback), ("class 0", (truth, truth * 0))):
            answers = truth, looked_up(key(test), key(noisy), truth, there)
            tell(f"{table}, else {words}", answers, truth, options.runs)
    print("tables that also remember their run | right | caught of 128 | of 256")
    for table, key in KEYS.items():
        for words, (_, there) in (("a network", fallback), ("class 0", (truth, truth * 0))):
            answers = truth, looked_up(key(test), key(noisy), truth, there)
            tell_remembering(f"{table}, else {words}", answers, truth, options.runs)
    nearest = truth, truth[nearest_thumbnail(test, noisy)]
    tell("nearest 7×7 thumbnail", nearest, truth, options.runs)


def read(folder: Path, part: str) -> tuple[Images, Labels]:
    """Images (N, 28, 28) and labels (N,) of one part."""
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
    return (
        np.frombuffer(images, np.uint8).reshape(-1, 28, 28),
        np.frombuffer(labels, np.uint8).astype(np.int64),
    )


def with_noise(images: Images, seed: int) -> Images:
    """Each image as the sandbox copies it."""
    noise = NOISE * np.random.default_rng(seed).standard_normal(images.shape, dtype=np.float32)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def trained(name: str, images: Images, labels: Labels, seed: int, epochs: int) -> nn.Module:
    """A network of the registry after a few epochs."""
    torch.manual_seed(seed)
    network = models.find(name).build(10)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    steps = epochs * (len(images) // 128)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    pixels, truth = tensor(images), torch.from_numpy(labels)
    network.train()
    for _ in range(epochs):
        order = torch.randperm(len(images))[: len(images) // 128 * 128].view(-1, 128)
        for batch in order:
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(pixels[batch]), truth[batch]).backward()
            optimiser.step()
            schedule.step()
    return network.eval()


def predict(network: nn.Module, images: Images) -> Labels:
    """Labels (N,)."""
    with torch.inference_mode():
        parts = [network(part).argmax(1) for part in tensor(images).split(500)]
    return torch.cat(parts).numpy()


def tensor(images: Images) -> torch.Tensor:
    """Float (N, 1, 28, 28) of about mean 0."""
    return (torch.from_numpy(images.astype(np.float32) / 255)[:, None] - 0.286) / 0.353


def tell(name: str, answers: tuple[Labels, Labels], truth: Labels, runs: int) -> None:
    """One row: accuracy, loss over all images, and how many of the drawn runs are flagged."""
    here, there = answers
    whole = losses(here, there, truth)
    flagged = [flags(here, there, truth, copies, runs) for copies in COPIES]
    counts = " | ".join(str(count) for count in flagged)
    print(f"{name} | {(here == truth).mean():.4f} | {whole.lost / whole.right:.4f} | {counts}")


def flags(here: Labels, there: Labels, truth: Labels, copies: int, runs: int) -> int:
    """Of so many runs, each with other images copied, how many are flagged."""
    draw = np.random.default_rng(copies)
    chosen = (draw.choice(len(truth), copies, replace=False) for _ in range(runs))
    return sum(is_flagged(here, there, truth, rows, draw) for rows in chosen)


def is_flagged(
    here: Labels, there: Labels, truth: Labels, rows: NDArray[np.int64], draw: np.random.Generator
) -> bool:
    """By either test, of a program that answers each image for itself; the order is drawn."""
    first = rows[draw.random(len(rows)) < 0.5]
    found = losses(here[rows], there[rows], truth[rows])
    return with_order(found, here != truth, first).is_flagged


def tell_remembering(name: str, answers: tuple[Labels, Labels], truth: Labels, runs: int) -> None:
    """One row: the accuracy of a run with 256 copies, and how many of the drawn runs are flagged.

    Of an image and its copy, whichever comes second is answered as the first was.
    """
    flagged = [0, 0]
    for number, copies in enumerate(COPIES):
        draw = np.random.default_rng(copies)
        for _ in range(runs):
            rows = draw.choice(len(truth), copies, replace=False)
            first = rows[draw.random(copies) < 0.5]
            given = answers[0].copy()
            given[first] = answers[1][first]
            found = with_order(losses(given[rows], given[rows], truth[rows]), given != truth, first)
            flagged[number] += found.is_flagged
    counts = " | ".join(str(count) for count in flagged)
    print(f"{name} | {(given == truth).mean():.4f} | {counts}")


def tell_drawn(runs: int, images: int = 10_000) -> None:
    """What the test of order finds of answers that are drawn: errors at random, no images."""
    print("right | honest, flagged of 128 copies | of 256 | remembering tables: of 128 | of 256")
    for right in (0.76, 0.908, 0.97, 0.98, 0.99):
        draw = np.random.default_rng(1)
        counts = []
        for remembers in (False, True):
            for copies in COPIES:
                flagged = 0
                for _ in range(runs):
                    rows = draw.choice(images, copies, replace=False)
                    first = rows[draw.random(copies) < 0.5]
                    missed = draw.random(images) > right
                    if remembers:  # the table answers all but those whose copy came first
                        missed &= np.isin(np.arange(images), first)
                    none_lost = losses(*3 * (np.zeros(copies, np.int64),))
                    flagged += with_order(none_lost, missed, first).is_flagged
                counts.append(flagged)
        print(f"{right} | " + " | ".join(map(str, counts)))


def looked_up(keys: list[bytes], asked: list[bytes], truth: Labels, fallback: Labels) -> Labels:
    """What a table from keys to labels answers; the fallback where a key is not in it."""
    table = dict(zip(keys, truth.tolist(), strict=True))
    answers = [table.get(key, int(there)) for key, there in zip(asked, fallback, strict=True)]
    return np.array(answers)


def exact(images: Images) -> list[bytes]:
    """The pixels themselves."""
    return [image.tobytes() for image in images]


def thumbnail(images: Images) -> NDArray[np.float32]:
    """Means of 4×4 pixels: (N, 7, 7)."""
    return images.reshape(-1, 7, 4, 7, 4).mean((2, 4), dtype=np.float32)


def coarse(images: Images) -> list[bytes]:
    """Means of 4×4 pixels in sixteen steps."""
    return exact((thumbnail(images) // 16).astype(np.uint8))


def gradients(images: Images) -> list[bytes]:
    """dHash: in which direction brightness goes between neighbours of a thumbnail."""
    small = thumbnail(images)
    return [bits.tobytes() for bits in np.packbits(small[:, :, 1:] > small[:, :, :-1], axis=1)]


def nearest_thumbnail(images: Images, asked: Images) -> NDArray[np.intp]:
    """For each image asked, the place of that with the nearest thumbnail."""
    known = torch.from_numpy(thumbnail(images).reshape(-1, 49))
    wanted = torch.from_numpy(thumbnail(asked).reshape(-1, 49))
    parts = [torch.cdist(part, known).argmin(1) for part in wanted.split(1000)]
    return torch.cat(parts).numpy()


KEYS: dict[str, Callable[[Images], list[bytes]]] = {
    "exact hash": exact,
    "7×7 hash": coarse,
    "dHash": gradients,
}

if __name__ == "__main__":
    print(f"honest networks are taken to lose {HONEST_LOSS:.0%} at most")
    main()
