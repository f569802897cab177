"""What the sandbox says of a program that failed, as templates: pages and terminal translate them.

The sandbox imports nothing of ours, so its sentences are kept here a second time; a test reads its
sources and holds every sentence in them against these.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from grader.wording import Templates

TEMPLATES: Final = (
    # what can be said of a hidden run
    "The program broke the contract of model.py.",
    "The checkpoint could not be loaded.",
    "The program failed while predicting.",
    "The predictions have a wrong shape, type or value, or are not complete.",
    "The program ran out of memory.",
    "The program ran out of GPU memory.",
    "The program filled its space for temporary files.",
    # what was seen from outside
    "Used {value} MB of the {expected} MB allowed, and asked for more.",
    "Used more than the {value} MB of GPU memory allowed.",
    "Temporary files filled the {value} MB allowed.",
    "Stopped at the time limit of {value} s.",
    "The program printed more than the {value} MB allowed.",
    "The program closed its channel to the grader.",
    "The program broke the channel to the grader: {value}.",
    "The program went on sending after its last prediction.",
    "The program ended after {value} of {expected} predictions.",
    "The program was ended by signal {value}.",
    "The program ended with exit status {value}.",
    "The program called exit() before all predictions were made.",
    # what the program's own words say; the value is the error
    "model.py can't be imported: {value}",
    "build_model() failed: {value}",
    "The model can't be put on its device and in eval mode: {value}",
    "The program failed while predicting: {value}",
    "The checkpoint does not fit the model: {value}",
    "{value} can't be loaded: {expected}",
    # what the contract asks for
    "The bundle has no model.py.",
    "{value} is neither a file nor a folder.",
    "model.py defines no function build_model().",
    "build_model() must return a torch.nn.Module, not {value}.",
    "BATCH_SIZE in model.py must be a whole number above 0.",
    "predict() returned {value}.",
    "predict() returned {value}, not a Tensor.",
    "predict() returned values of type {value}, neither scores nor labels.",
    "predict() returned scores, then labels.",
    "predict() returned scores of shape {value} instead of {expected}.",
    "predict() returned labels of shape {value} instead of {expected}.",
    "predict() returned scores that are NaN or infinite.",
    "predict() returned labels outside {value}.",
    "The bundle has no checkpoint, but the model has {value} tensors. "
    "Expected checkpoint.safetensors or checkpoint.pt.",
    "The bundle has no checkpoint, but the model has {value} tensors. "
    "Expected checkpoint.safetensors or checkpoint.pt; rename {file} to {expected} if that is it.",
    "Which checkpoint is meant? The bundle has {value}.",
    "{value} is not a state_dict.",
    "The checkpoint does not fit the model; missing: {value}.",
    "The checkpoint does not fit the model; not in the model: {value}.",
    "The checkpoint does not fit the model; missing: {value}; not in the model: {expected}.",
    # what only a terminal says, where a card was asked for and there is none
    "This worker has no GPU: {value}.",
    "This worker has no GPU with {value} MB for one run.",
    # what the scores lack
    "{value} needs scores: one column a class",
    "{value} needs probabilities: one column a class",
)

ENDINGS: Final = (
    "There is no network here: build the model without downloading (pretrained=False, "
    "weights=None) and put all weights in the checkpoint.",
    "There is no GPU here: leave out .cuda() and device='cuda'. The model is put on the right "
    "device for you; use images.device in preprocess() and predict().",
    "It holds a pickled object, such as a whole model, and is not opened: save the tensors alone, "
    "torch.save(model.state_dict(), 'checkpoint.pt').",
    "Save it with torch.save(model.state_dict(), 'checkpoint.pt').",
    "It has one under {value}: save that one alone.",
    "The names begin with `module.`: save `model.module.state_dict()`.",
    "It reached the limit of {value} processes.",
)
"""What may follow one of them, after a space."""

CAUSES: Final = (
    "the GPU's memory is full.",
    "memory could not be allocated ({value}).",
    "/tmp is full ({value}).",  # noqa: S108 - said, not opened
    "what was sent is not a frame",
    "a frame of type {value} has no place here",
    "a frame of type {value} can't have {expected} bytes here",
    "a batch size that is not allowed",
    "a failure of unknown kind",
    "predictions before the model was loaded",
    "predictions that are not finite or not classes",
    "{value} and {expected} more",
    "the setting {value} names none",
)
"""What may stand in one of them for a value."""


def translated(detail: str, say: Callable[[str], str]) -> str:
    """What the sandbox says of a failed program, and what to do, in another language.

    What the program itself said stays as it was. `say` gives a template's translation.
    """
    ended = _with_ending().find(detail)
    if ended is not None:
        ending = ended.template.partition(" ")[2]
        said = _filled(ended.values.pop(_SAID), say)
        return f"{said} {say(ending).format(**ended.values)}"
    return _filled(detail, say)


def _filled(sentence: str, say: Callable[[str], str]) -> str:
    found = _sentences().find(sentence)
    if found is None:
        return sentence
    values = {name: _cause(value, say) for name, value in found.values.items()}
    return say(found.template).format(**values)


def _cause(value: str, say: Callable[[str], str]) -> str:
    found = _causes().find(value)
    return say(found.template).format(**found.values) if found else value


_SAID: Final = "said_before"


@cache
def _with_ending() -> Templates:
    return Templates(f"{{{_SAID}}} {ending}" for ending in ENDINGS)


@cache
def _sentences() -> Templates:
    return Templates(TEMPLATES)


@cache
def _causes() -> Templates:
    return Templates(CAUSES)
