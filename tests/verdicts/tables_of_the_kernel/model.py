import os
import threading
from pathlib import Path

from torch import nn

TABLES = "cmdline loadavg locks meminfo pagetypeinfo stat sys/fs/file-nr uptime vmstat zoneinfo"
OWN = "mountinfo mounts smaps pagemap"


def read(path):
    try:
        with open(path, "rb") as file:
            content = file.read(4096)
    except OSError as error:
        print(path, error)
        return
    if content:
        print("ATTACK WORKED:", path, content[:60])


def read_all():
    for name in TABLES.split():
        read(f"/proc/{name}")
    for name in OWN.split():
        read(f"/proc/self/{name}")
        read(f"/proc/self/task/{threading.get_native_id()}/{name}")


reading = threading.Thread(target=read_all)  # what is covered of process 1 may show of a thread
reading.start()
reading.join()
child = os.fork()
if child == 0:
    for own in "mountinfo mounts smaps".split():
        read(f"/proc/{os.getpid()}/{own}")
    os._exit(0)
os.waitpid(child, 0)
if (
    "MHz" in Path("/proc/cpuinfo").read_text()
    and "MHz\t\t: 0\n" not in Path("/proc/cpuinfo").read_text()
):
    print("ATTACK WORKED: the frequency of a processor")


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
