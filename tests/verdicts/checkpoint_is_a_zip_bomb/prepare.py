import pickle
import zipfile

with zipfile.ZipFile("checkpoint.pt", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    with archive.open("checkpoint/data.pkl", "w", force_zip64=True) as file:
        for _ in range(800):
            file.write(bytes(1 << 20))
    archive.writestr("checkpoint/version", "3\n")
