"""What a team is told of an evaluation keeps its code and values, to be said in any language."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# What was stored as a sentence without values says its code; any other stays a sentence.
_CODES: Final = {
    "The program broke the contract of model.py.": "run.hidden_contract",
    "The checkpoint could not be loaded.": "run.hidden_checkpoint",
    "The program failed while predicting.": "run.hidden_failed",
    "The predictions have a wrong shape, type or value, or are not complete.": (
        "run.hidden_predictions"
    ),
    "The program ran out of memory.": "run.hidden_memory",
    "The program ran out of GPU memory.": "run.hidden_gpu_memory",
    "The program filled its space for temporary files.": "run.hidden_tmp",
    "The program closed its channel to the grader.": "run.channel_closed",
    "The program went on sending after its last prediction.": "run.sent_after_the_end",
    "The program called exit() before all predictions were made.": "run.exit_called",
    "The bundle has no model.py.": "run.no_model_file",
    "model.py defines no function build_model().": "run.no_build_model",
    "predict() returned scores, then labels.": "run.scores_then_labels",
    "predict() returned scores that are NaN or infinite.": "run.scores_not_finite",
    "The server failed three times while it evaluated this. It is not your fault, does not "
    "count against your quota, and staff have been told.": "server.failed_thrice",
}


def upgrade() -> None:
    op.add_column("evaluation", sa.Column("detail_said", sa.JSON(), nullable=True))
    told: Any = sa.table(
        "evaluation", sa.column("detail", sa.Text), sa.column("detail_said", sa.JSON)
    )
    for sentence, code in _CODES.items():
        said = {"code": code, "values": {}}
        op.execute(sa.update(told).where(told.c.detail == sentence).values(detail_said=said))


def downgrade() -> None:
    op.drop_column("evaluation", "detail_said")
