import os
import threading
from pathlib import Path

from torch import nn

processes = sorted(int(path.name) for path in Path("/proc").glob("[0-9]*"))
print(processes, os.getpid(), os.getppid())
if processes != [1]:
    print("ATTACK WORKED: saw", processes)
tasks = Path("/proc/self/task")  # there only where the host's processes are seen
own = {int(path.name) for path in tasks.iterdir()} if tasks.exists() else set()
for number in set(range(2, 5000)) - own - {threading.get_native_id()}:
    try:
        os.kill(number, 0)
        print("ATTACK WORKED: signalled", number)
    except OSError:
        pass


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
