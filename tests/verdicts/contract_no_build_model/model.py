from torch import nn

model = nn.Identity()
