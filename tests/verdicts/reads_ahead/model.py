import os
import select
import sys
import threading
import time

from torch import nn

HEADER = 16
asked = []


def build_model():
    return nn.Identity()


def callers():
    frame = sys._getframe(2)
    while frame:
        yield frame
        frame = frame.f_back


def let_a_reader_run():
    """A harness that reads ahead in a thread holds it back by a semaphore."""
    for frame in callers():
        for value in list(frame.f_locals.values()):
            room = getattr(value, "_room", None)
            if isinstance(room, threading.Semaphore):
                room.release(10_000)


def pipe_of_images():
    return next(f.f_locals["request"] for f in callers() if "request" in f.f_locals)


def predict(model, images):
    if not asked:
        asked.append(True)
        let_a_reader_run()
        pipe = pipe_of_images()
        time.sleep(1)
        if select.select([pipe], [], [], 0)[0]:
            length = int.from_bytes(os.read(pipe, HEADER)[8:], "little")
            more = os.read(pipe, length)
            print("ATTACK WORKED: an image of a batch that is not due:", more[:64].hex())
            os._exit(0)
        print("nothing is there before the first answer")
    return (images.mean((1, 2, 3)) * 10).long() % 10
