"""The outline of an archive of torch.jit.save."""

import pickle
import zipfile

with zipfile.ZipFile("checkpoint.pt", "w") as archive:
    archive.writestr("checkpoint/constants.pkl", pickle.dumps((), protocol=2))
    archive.writestr("checkpoint/code/__torch__.py", "print('ATTACK WORKED')\n")
    archive.writestr("checkpoint/data.pkl", pickle.dumps({}, protocol=2))
    archive.writestr("checkpoint/version", "3\n")
