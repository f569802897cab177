import torch

torch.save(torch.nn.Linear(64, 10), "checkpoint.pt")
