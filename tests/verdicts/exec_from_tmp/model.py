import os
import shutil
import subprocess
import sys

from torch import nn

shutil.copy(sys.executable, "/tmp/program")
os.chmod("/tmp/program", 0o755)
try:
    subprocess.run(["/tmp/program", "-c", "print('ATTACK WORKED')"])
except OSError as error:
    print(error)


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
