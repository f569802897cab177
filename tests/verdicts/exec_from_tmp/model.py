import os
import shutil
import sys

from torch import nn

for program in ("/tmp/program", "/dev/shm/program"):
    shutil.copy(sys.executable, program)
    os.chmod(program, 0o755)
    try:
        said = [program, "-c", "print('ATTACK WORKED')"]
        os.waitpid(os.posix_spawn(program, said, {"PYTHONHOME": sys.prefix}), 0)
    except OSError as error:
        print(error)


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
