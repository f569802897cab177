"""What students read of a run: each sentence as its code and values, and its words in English.

The words of other languages are made elsewhere, by the same codes. Both sides of the channel speak
by this table: what comes out of a sandbox is a code of it and values, or it is not told.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

TEMPLATES: Final[Mapping[str, str]] = {
    # what is said of a hidden run, where neither the program's own words nor numbers it can
    # choose are shown: they could spell out hidden images
    "run.hidden_contract": "The program broke the contract of model.py.",
    "run.hidden_checkpoint": "The checkpoint could not be loaded.",
    "run.hidden_failed": "The program failed while predicting.",
    "run.hidden_predictions": (
        "The predictions have a wrong shape, type or value, or are not complete."
    ),
    "run.hidden_memory": "The program ran out of memory.",
    "run.hidden_gpu_memory": "The program ran out of GPU memory.",
    "run.hidden_tmp": "The program filled its space for temporary files.",
    # what was seen from outside
    "run.memory": "Used {used} MB of the {allowed} MB allowed, and asked for more.",
    "run.gpu_memory": "Used more than the {allowed} MB of GPU memory allowed.",
    "run.tmp": "Temporary files filled the {allowed} MB allowed.",
    "run.time": "Stopped at the time limit of {seconds} s.",
    "run.output": "The program printed more than the {allowed} MB allowed.",
    "run.channel_closed": "The program closed its channel to the grader.",
    "run.channel_broken": "The program broke the channel to the grader: {reason}.",
    "run.sent_after_the_end": "The program went on sending after its last prediction.",
    "run.ended_early": "The program ended after {made} of {expected} predictions.",
    "run.ended_by_signal": "The program was ended by signal {signal}.",
    "run.ended_with_status": "The program ended with exit status {status}.",
    "run.exit_called": "The program called exit() before all predictions were made.",
    # what the program's own words say, which are the error
    "run.import_failed": "model.py can't be imported: {error}",
    "run.build_failed": "build_model() failed: {error}",
    "run.device_failed": "The model can't be put on its device and in eval mode: {error}",
    "run.predict_failed": "The program failed while predicting: {error}",
    "run.loading_failed": "The checkpoint does not fit the model: {error}",
    "run.unreadable_checkpoint": "{file} can't be loaded: {error}",
    "run.uncounted": "The checkpoint's values can't be counted: {error}",
    # what the contract asks for
    "run.no_model_file": "The bundle has no model.py.",
    "run.neither_file_nor_folder": "{path} is neither a file nor a folder.",
    "run.no_build_model": "model.py defines no function build_model().",
    "run.not_a_module": "build_model() must return a torch.nn.Module, not {type}.",
    "run.batch_size_invalid": "BATCH_SIZE in model.py must be a whole number above 0.",
    "run.not_a_tensor": "predict() returned {type}, not a Tensor.",
    "run.values_of_type": "predict() returned values of type {type}, neither scores nor labels.",
    "run.scores_then_labels": "predict() returned scores, then labels.",
    "run.scores_of_shape": "predict() returned scores of shape {shape} instead of {expected}.",
    "run.labels_of_shape": "predict() returned labels of shape {shape} instead of {expected}.",
    "run.scores_not_finite": "predict() returned scores that are NaN or infinite.",
    "run.labels_outside": "predict() returned labels outside {range}.",
    "run.explain_failed": "The answers can't be explained: {error}",
    "run.heat_not_a_tensor": "explain() returned {type}, not a Tensor.",
    "run.heat_of_shape": "explain() returned heat of shape {shape} instead of {expected}.",
    "run.heat_not_finite": "The heat maps are NaN or infinite.",
    "run.no_scores_to_explain": (
        "The model gives no scores by class: model.py may define explain(model, batch, classes)."
    ),
    "run.no_maps_to_explain": (
        "The model has no maps of images: model.py may define explain(model, batch, classes)."
    ),
    "run.no_checkpoint": (
        "The bundle has no checkpoint, but the model has {tensors} tensors. Expected "
        "checkpoint.safetensors or checkpoint.pt."
    ),
    "run.no_checkpoint_but": (
        "The bundle has no checkpoint, but the model has {tensors} tensors. Expected "
        "checkpoint.safetensors or checkpoint.pt; rename {file} to {expected} if that is it."
    ),
    "run.empty_checkpoint": "{file} is empty (0 bytes): save it again.",
    "run.damaged_checkpoint": (
        "{file} is damaged or ends in the middle ({error}): save or download it again, and "
        "compare its size."
    ),
    "run.no_tensors": "{file} holds no tensors: it was saved from an empty dict.",
    "run.unknown_checkpoint": "{file} is no file that torch.save writes.",
    "run.which_checkpoint": "Which checkpoint is meant? The bundle has {files}.",
    "run.holds_object": "{file} holds more than tensors, {types}, and is not opened.",
    "run.holds_object_under": (
        "{file} holds more than tensors, under {key} {types}, and is not opened."
    ),
    "run.not_a_state_dict": "{file} is not a state_dict.",
    "run.unnamed_tensors": (
        "{file} is not a state_dict: its tensors must have names, "
        "but one is under the {type} {key}."
    ),
    "run.names_missing": "The checkpoint does not fit the model; missing: {missing}.",
    "run.names_unknown": "The checkpoint does not fit the model; not in the model: {unknown}.",
    "run.names_differ": (
        "The checkpoint does not fit the model; missing: {missing}; not in the model: {unknown}."
    ),
    # what only a terminal says, where a card was asked for and there is none
    "run.no_gpu": "This worker has no GPU: {reason}.",
    "run.no_gpu_so_large": "This worker has no GPU with {memory} MB for one run.",
    # what may follow one of them
    "run.advice_no_network": (
        "There is no network here: build the model without downloading (pretrained=False, "
        "weights=None) and put all weights in the checkpoint."
    ),
    "run.advice_no_gpu": (
        "There is no GPU here: leave out .cuda() and device='cuda'. The model is put on the "
        "right device for you; use images.device in preprocess() and predict()."
    ),
    "run.advice_whole_model": (
        "It holds a pickled object, such as a whole model, and is not opened: save the "
        "tensors alone, torch.save(model.state_dict(), 'checkpoint.pt')."
    ),
    "run.advice_save_state_dict": "Save it with torch.save(model.state_dict(), 'checkpoint.pt').",
    "run.advice_state_dict_within": "It has one under {key}: save that one alone.",
    "run.advice_numpy_value": (
        "That is a NumPy number, such as a best score: save the tensors alone, "
        "torch.save(model.state_dict(), 'checkpoint.pt')."
    ),
    "run.advice_numpy_arrays": (
        "Those are NumPy arrays: save the model's own tensors, "
        "torch.save(model.state_dict(), 'checkpoint.pt')."
    ),
    "run.advice_path_value": (
        "That is a path: save the tensors alone, torch.save(model.state_dict(), 'checkpoint.pt')."
    ),
    "run.advice_namespace_value": (
        "Those are a program's arguments: save the tensors alone, "
        "torch.save(model.state_dict(), 'checkpoint.pt')."
    ),
    "run.advice_lightning": (
        "It is a checkpoint of Lightning: save the network alone, "
        "torch.save(lightning_module.{attribute}.state_dict(), 'checkpoint.pt')."
    ),
    "run.advice_other_entry": "It also holds {key}, of type {type}: save the tensors alone.",
    "run.advice_prefix": (
        "The names fit without `{prefix}`: save `model.{path}.state_dict()`, or take "
        "it off each name with name.removeprefix('{prefix}')."
    ),
    "run.advice_prefix_and_others": (
        "The names fit without `{prefix}` and without {others}: save `model.{path}.state_dict()`, "
        "or take it off each name with name.removeprefix('{prefix}')."
    ),
    "run.advice_prefix_lacking": (
        "The names fit with `{prefix}` before each: build_model() must return what was saved, or "
        "save the whole model, where it is `model.{path}`."
    ),
    "run.advice_sequential": (
        "The names begin with numbers, as those of a bare nn.Sequential do: build_model() must "
        "return that nn.Sequential."
    ),
    "run.advice_part": (
        "The names fit without `{part}` within them, which a wrapper (DataParallel, torch.compile) "
        "put there: save the model without the wrapper, or take it out of each name with "
        "name.replace('{part}', '')."
    ),
    "run.process_limit": "It reached the limit of {limit} processes.",
    # what may stand in one of them
    "run.cause_gpu_full": "the GPU's memory is full.",
    "run.cause_memory": "memory could not be allocated ({error}).",
    "run.cause_tmp_full": "/tmp is full ({error}).",
    "run.cause_no_frame": "what was sent is not a frame",
    "run.cause_frame_out_of_place": "a frame of type {type} has no place here",
    "run.cause_frame_length": "a frame of type {type} can't have {length} bytes here",
    "run.cause_batch_size": "a batch size that is not allowed",
    "run.cause_unknown_failure": "a failure of unknown kind",
    "run.cause_too_early": "predictions before the model was loaded",
    "run.cause_bad_predictions": "predictions that are not finite or not classes",
    "run.cause_and_more": "{names} and {count} more",
    "run.cause_no_setting": "the setting {setting} names none",
    "run.with_advice": "{said} {advice}",
}
_DEEPEST: Final = 4  # sentences within sentences


@dataclass(frozen=True)
class Sentence:
    """A code of the table and a value for each place of its template."""

    code: str
    values: Mapping[str, str | int | Sentence]

    def __str__(self) -> str:
        return TEMPLATES[self.code].format(**self.values)

    def as_data(self) -> dict[str, Any]:
        """Code and values as JSON; a sentence among the values has its English words beside it.

        >>> said("run.time", seconds="5").as_data()
        {'code': 'run.time', 'values': {'seconds': '5'}}
        """
        values = {
            name: {"text": str(value), **value.as_data()} if isinstance(value, Sentence) else value
            for name, value in self.values.items()
        }
        return {"code": self.code, "values": values}

    def cut(self, most: int) -> Sentence:
        """The same with no text among its values longer than `most` characters."""
        return replace(self, values={name: _cut(each, most) for name, each in self.values.items()})

    def to_bytes(self, most: int) -> bytes:
        """The sentence for `read`, its values cut until it takes at most so many bytes."""
        longest = most
        while True:
            raw = json.dumps(self.cut(longest).as_data(), ensure_ascii=False)
            written = raw.encode("utf-8", "replace")
            if len(written) <= most:
                return written
            longest //= 2


def said(code: str, **values: str | int | Sentence) -> Sentence:
    """A sentence about a run.

    >>> str(said("run.memory", used=70, allowed=64))
    'Used 70 MB of the 64 MB allowed, and asked for more.'
    """
    return Sentence(code, values)


def read(raw: bytes) -> Sentence:
    """A sentence from the other side, which may have sent anything.

    Raises:
        ValueError: it is none of the table's, or has other values than its template has places.
    """
    try:
        return _read(json.loads(raw.decode("utf-8", "replace")), _DEEPEST)
    except RecursionError as error:
        raise ValueError("what was sent is no sentence") from error


def _read(sent: Any, deepest: int) -> Sentence:
    if not isinstance(sent, dict) or sent.get("code") not in TEMPLATES or not deepest:
        raise ValueError("what was sent is no sentence")
    code, values = sent["code"], sent.get("values")
    if not isinstance(values, dict) or values.keys() != _places(code):
        raise ValueError(f"{code} has other values")
    return Sentence(code, {name: _value(each, deepest) for name, each in values.items()})


def _value(sent: Any, deepest: int) -> str | int | Sentence:
    if isinstance(sent, dict):
        return _read(sent, deepest - 1)
    return sent if type(sent) is int and abs(sent) < 1 << 63 else printable(str(sent))


def _places(code: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(TEMPLATES[code]) if name}


def _cut(value: str | int | Sentence, most: int) -> str | int | Sentence:
    if isinstance(value, Sentence):
        return value.cut(most)
    return value[:most] if isinstance(value, str) else value


def printable(text: str) -> str:
    """Text without control characters but newline and tab: no terminal or page can be steered."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text
    )
