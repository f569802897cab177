"""Train the model of bundle/model.py and save its checkpoint beside it.

    python train.py PACK          PACK: the folder that `grader data` downloaded

Needs PyTorch: pip install torch. The folder bundle/ is then what `grader submit` hands in.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np

try:
    import torch
    from torch.nn import functional
except ImportError:
    print("training needs PyTorch: pip install torch", file=sys.stderr)
    sys.exit(2)

EPOCHS = 3
BATCH_SIZE = 128
LEARNING_RATE = 0.004
HELD_OUT = 0.1  # share of the training images that says how good it is
SEED = 0
BUNDLE = Path(__file__).resolve().parent / "bundle"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    classes = json.loads((arguments.pack / "assignment.json").read_text("utf-8"))["classes"]
    images, labels = read_training_set(arguments.pack, classes)
    write_settings(len(classes), images.shape[1])

    torch.manual_seed(SEED)
    sys.path.insert(0, str(BUNDLE))
    from model import build_model, preprocess

    model = build_model().to(memory_format=torch.channels_last)
    train(model, preprocess, images, labels, arguments.epochs)
    torch.save(model.state_dict(), BUNDLE / "checkpoint.pt")
    print(f"wrote {BUNDLE / 'checkpoint.pt'}; hand in the folder {BUNDLE}")


def read_training_set(pack: Path, classes: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Images uint8 (N, C, H, W), as the server gives them to `preprocess`, and labels (N,)."""
    folder = pack / "train"
    if not (folder / "images.npy").exists():
        folder = pack / "sample"
        print("the pack has no train/images.npy: training on its few samples, to show the way")
    array = np.load(folder / "images.npy")
    array = array[:, None] if array.ndim == 3 else array.transpose(0, 3, 1, 2)
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        names = [row["label"] for row in csv.DictReader(file)]
    index_of = {name: index for index, name in enumerate(classes)}
    labels = [int(name) if name.isdigit() else index_of[name] for name in names]
    return torch.from_numpy(np.ascontiguousarray(array)), torch.tensor(labels)


def write_settings(num_classes: int, channels: int) -> None:
    """What model.py must know of the data travels in the bundle."""
    lines = f"NUM_CLASSES = {num_classes}\nCHANNELS = {channels}\n"
    (BUNDLE / "settings.py").write_text('"""Written by train.py."""\n\n' + lines, "utf-8")


def train(model, preprocess, images, labels, epochs) -> None:
    """Adam with a one-cycle learning rate, random horizontal flips, cross-entropy."""
    order = torch.randperm(len(images))
    held_out, kept = order.split(
        [int(len(images) * HELD_OUT), len(order) - int(len(images) * HELD_OUT)]
    )
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    steps = epochs * -(-len(kept) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for epoch in range(epochs):
        model.train()
        for rows in kept[torch.randperm(len(kept))].split(BATCH_SIZE):
            batch = preprocess(images[rows])
            if torch.rand(()) < 0.5:
                batch = batch.flip(3)
            loss = functional.cross_entropy(model(batch), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(
            f"epoch {epoch + 1}: accuracy on held-out images "
            f"{accuracy(model, preprocess, images, labels, held_out):.4f}",
            flush=True,
        )


@torch.inference_mode()
def accuracy(model, preprocess, images, labels, rows) -> float:
    model.eval()
    right = 0
    for part in rows.split(512):
        right += int((model(preprocess(images[part])).argmax(1) == labels[part]).sum())
    return right / max(1, len(rows))


if __name__ == "__main__":
    main()
