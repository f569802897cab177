// Handing in: drag and drop, a look at the CSV before anything is sent, a progress bar, and the
// server's answer in the page. The server's own checks decide; what is found here only helps.

import { sha256 } from "./sha256.js";

const form = document.querySelector("form[data-upload]");
const input = form.elements.file;
const drop = form.querySelector("[data-drop]");
const facts = form.querySelector("[data-facts]");
const send = form.querySelector("[data-send]");
const hint = form.querySelector("[data-hint]");
const progress = form.querySelector("[data-progress]");
const result = document.querySelector("[data-result]");
const words = document.querySelector("template[data-strings]").dataset;
// what the server asks of a file (grader.Requirements), worded for the reader
const required = JSON.parse(form.dataset.requirements);
const HEAD_BYTES = 4096;
const TAIL_BYTES = 65536;
const CHECK_BYTES = 64 * 1048576;
const SHOWN = 8;
const COMMITTED_BYTES = 256 * 1024; // less comes in one piece within moments
const PART_BYTES = 1048576;
const PASSING = [409, 429, 502, 503, 504];
const MOST_FAILURES = 40; // a quarter of an hour without a line
const SCORE = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

const say = (text, values = {}) =>
  text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

// ── drag and drop ────────────────────────────────────────────────────────────────────────────

for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) {
  drop.addEventListener(kind, () => drop.classList.remove("over"));
}
drop.addEventListener("click", (event) => {
  if (!event.target.closest("label, input")) input.click();
});
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length === 0) return;
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change"));
});

// ── a look at the file ───────────────────────────────────────────────────────────────────────

// Each look has a place of its own: what is found late in a file chosen before shows nowhere.
async function look() {
  result.replaceChildren();
  facts.replaceChildren();
  form.querySelector("input[type=hidden][name=again]")?.remove();
  const file = input.files[0];
  if (!file) return;
  const place = element("div");
  place.ariaBusy = "true";
  facts.append(place);
  await describe(file, place).finally(() => (place.ariaBusy = null));
}

async function describe(file, place) {
  const kind = await kindOf(file);
  const line = element("p", "file-facts");
  line.append(
    element("strong", "break", file.name),
    element("span", "muted num", readable(file.size)),
    element("span", `badge ${kind ? "live" : "bad"}`, kind ? words[kind] : words.unknown),
  );
  place.append(line);
  const refusal = await whyRefused(file, kind);
  if (refusal) return place.append(note("bad", refusal));
  if (kind !== "csv" || file.size > CHECK_BYTES || file.name.endsWith(".gz")) return;
  const busy = element("p", "small muted", words.checking);
  place.append(busy);
  const problems = await check(file).catch(() => null);
  busy.remove();
  if (problems) place.append(...show(problems));
}

input.addEventListener("change", look);

async function kindOf(file) {
  const head = new Uint8Array(await file.slice(0, 262).arrayBuffer());
  const starts = (...bytes) => bytes.every((byte, at) => head[at] === byte);
  const name = file.name.toLowerCase();
  const tar = new TextDecoder("latin1").decode(head.slice(257, 262)) === "ustar";
  if (starts(0x50, 0x4b) || tar) return "code";
  if (starts(0x1f, 0x8b)) return /\.(tar\.gz|tgz)$/.test(name) ? "code" : "csv";
  return /\.(csv|txt|tsv)$/.test(name) || file.type.startsWith("text/") ? "csv" : null;
}

async function whyRefused(file, kind) {
  if (file.size === 0) return words.empty;
  if (file.size > required.maxBytes) return words.tooLarge;
  return (await foreign(file)) || (kind && required.refused[kind]) || "";
}

// The rule of grader.file_kinds: known by content, else by name; empty where it may be graded.
async function foreign(file) {
  // one character a byte; TextDecoder's "latin1" is another code page
  const latin = async (part) =>
    Array.from(new Uint8Array(await part.arrayBuffer()), (byte) => String.fromCharCode(byte)).join("");
  const name = file.name.toLowerCase();
  const head = await latin(file.slice(0, HEAD_BYTES));
  const ends = head + (await latin(file.slice(Math.max(0, file.size - TAIL_BYTES))));
  const fits = ({ suffixes, starts, holds }) => {
    if (starts.length === 0) return suffixes.some((suffix) => name.endsWith(suffix));
    if (!starts.some((mark) => head.startsWith(mark))) return false;
    if (starts[0] === "PK" && ends.includes("model.py")) return false;
    const named = suffixes.some((suffix) => name.endsWith(suffix));
    return named || holds.length === 0 || holds.some((mark) => ends.includes(mark));
  };
  const found = required.foreign.find(fits);
  if (!found) return "";
  const suffix = found.suffixes.find((each) => name.endsWith(each)) ?? found.suffixes[0];
  return say(found.sentence, { suffix });
}

function readable(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let step = 0;
  for (; bytes >= 1024 && step < 3; step++) bytes /= 1024;
  return `${bytes >= 100 || step === 0 ? bytes.toFixed(0) : bytes.toFixed(1)} ${units[step]}`;
}

let expected = null;

async function check(file) {
  expected ??= await (await fetch(form.dataset.rowsUrl)).json();
  const bytes = new Uint8Array(await file.arrayBuffer());
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return { rows: 0, list: [{ line: 1, text: words.utf16 }] };
  }
  const text = new TextDecoder().decode(bytes);
  return text.includes('"') ? null : checkRows(text.replace(/\s+$/, "").split(/\r\n|\n|\r/));
}

// The rule of grader.prediction_csv.header: what each name stands for, and what the columns lack.
function readHeader(line) {
  const { exact, folded } = required.columns;
  const role = (name) => {
    if (Object.hasOwn(exact, name)) return exact[name];
    const small = name.toLowerCase();
    return Object.hasOwn(folded, small) ? folded[small] : null;
  };
  const names = line.split(",").map((name) => name.trim());
  const problems = [];
  const tell = (kind, name) =>
    problems.push({ line: 1, text: say(required.problems[kind], { value: `'${name}'` }) });
  const place = new Map();
  names.forEach((name, at) => {
    const found = role(name);
    if (found === null) tell("unknown_column", name);
    else if (place.has(found)) tell("repeated_column", name);
    else place.set(found, at);
  });
  if (!place.has("id")) tell("missing_column", required.idColumn);
  const scores = required.classes.map((_, index) => place.get(index)).filter((at) => at >= 0);
  if (scores.length && place.has("label")) tell("mixed_columns", names[place.get("label")]);
  else if (scores.length && scores.length < required.classes.length) {
    tell("missing_column", required.classes.find((_, index) => !place.has(index)));
  } else if (!scores.length && !place.has("label")) tell("missing_column", required.labelColumn);
  else if (!scores.length && required.needs !== "labels") {
    problems.push({ line: 1, text: required.lacking });
  }
  return { names, idAt: place.get("id") ?? -1, labelAt: place.get("label") ?? -1, scores, problems };
}

function areProbabilities(values) {
  const sum = values.reduce((total, value) => total + value, 0);
  return values.every((value) => value >= 0) && Math.abs(sum - 1) <= required.tolerance;
}

function checkRows(lines) {
  const { ids, classes, id_column: idColumn, label_column: labelColumn } = expected;
  const found = new Map();
  const report = (kind, line, text) => {
    const known = found.get(kind);
    if (known) known.more += 1;
    else found.set(kind, { line, text, more: 0 });
  };
  const { names: header, idAt, labelAt, scores, problems } = readHeader(lines[0]);
  const separator = [";", "\t", "|"].find((sign) => lines[0].includes(sign));
  if (header.length === 1 && separator) {
    return { rows: 0, list: [{ line: 1, text: say(words.separator, { s: separator }) }] };
  }
  if (idAt < 0) {
    const columns = `${idColumn},${labelColumn}`;
    return { rows: 0, list: [{ line: 1, text: say(words.noHeader, { columns }) }] };
  }
  if (problems.length) return { rows: 0, list: problems };
  const known = new Set(ids);
  const names = new Set(classes.map((name) => name.trim()));
  const seen = new Map();
  for (let at = 1; at < lines.length; at++) {
    const fields = lines[at].split(",").map((field) => field.trim());
    if (fields.length !== header.length) {
      report("ragged", at + 1, say(words.ragged, { got: fields.length, want: header.length }));
      continue;
    }
    const id = fields[idAt];
    if (!known.has(id)) report("unknown", at + 1, say(words.unknownId, { id }));
    else if (seen.has(id)) report("double", at + 1, say(words.doubleId, { id, line: seen.get(id) }));
    else seen.set(id, at + 1);
    if (labelAt < 0) {
      const bad = scores.find((column) => !SCORE.test(fields[column]));
      if (bad !== undefined) {
        const value = `'${fields[bad]}'`;
        report("score", at + 1, say(required.problems.score_not_number, { value }));
      } else if (required.needs === "probabilities" && !areProbabilities(scores.map((column) => Number(fields[column])))) {
        report("lacking", at + 1, `${required.lacking} (${required.noProbabilities})`);
      }
      continue;
    }
    const label = fields[labelAt];
    const isClass = names.has(label) || (/^[0-9]+$/.test(label) && Number(label) < classes.length);
    if (label === "") report("empty", at + 1, words.emptyLabel);
    else if (!isClass) report("label", at + 1, say(words.badLabel, { label }));
  }
  const missing = ids.filter((id) => !seen.has(id));
  if (missing.length) {
    found.set("missing", { line: null, text: say(words.missingIds, { n: missing.length, id: missing[0] }), more: 0 });
  }
  return { rows: lines.length - 1, list: [...found.values()] };
}

function show({ rows, list }) {
  if (list.length === 0) return [note("good", say(words.fine, { n: rows.toLocaleString() }))];
  const box = note("warn", words.found);
  const items = element("ul", "small");
  for (const { line, text, more } of list.slice(0, SHOWN)) {
    const placed = line ? say(words.place, { line, text }) : text;
    items.append(element("li", "break", more ? `${placed} (${say(words.more, { n: more })})` : placed));
  }
  box.append(items);
  return [box];
}

function note(tone, text) {
  const box = element("div", `note ${tone}`);
  box.append(element("p", "", text));
  return box;
}

// ── sending ──────────────────────────────────────────────────────────────────────────────────

form.addEventListener("submit", (event) => {
  event.preventDefault();
  result.replaceChildren();
  progress.hidden = false;
  send.disabled = true;
  hint.textContent = "";
  const file = input.files[0];
  if (file.size < COMMITTED_BYTES) return sendForm();
  sendCommitted(file).catch(() => answered(0, { detail: words.failed }));
});

function sendForm() {
  const request = new XMLHttpRequest();
  const bar = progress.querySelector("progress");
  const text = progress.querySelector("[data-progress-text]");
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.value = loaded / total;
    text.textContent =
      loaded < total ? say(words.uploading, { p: Math.floor((100 * loaded) / total) }) : words.reading;
  });
  request.addEventListener("load", () => answered(request.status, request.response ?? {}));
  for (const kind of ["error", "timeout", "abort"]) {
    request.addEventListener(kind, () => answered(0, { detail: words.failed }));
  }
  request.send(new FormData(form));
}

// A large file: its hash first, which fixes the moment that counts; then part by part, going on
// from where the server is whenever the line breaks.
async function sendCommitted(file) {
  const bar = progress.querySelector("progress");
  const text = progress.querySelector("[data-progress-text]");
  text.textContent = words.checking;
  const fields = new FormData(form);
  fields.delete("file");
  fields.set("filename", file.name);
  fields.set("size", file.size);
  fields.set("sha256", await sha256(file, (share) => (bar.value = share)));
  const json = { Accept: "application/json" };
  const committed = await fetch(form.dataset.uploadsUrl, { method: "POST", body: fields, headers: json });
  const made = await committed.json();
  if (!committed.ok) return answered(committed.status, made);
  result.replaceChildren(note("good", words.safe));
  const headers = {
    ...json,
    "Content-Type": "application/octet-stream",
    "X-CSRFToken": form.elements.csrf_token.value,
  };
  for (let at = made.received, failures = 0; ; ) {
    bar.value = at / file.size;
    text.textContent = say(words.uploading, { p: Math.floor((100 * at) / file.size) });
    const part = { method: "PATCH", body: file.slice(at, at + PART_BYTES), headers: { ...headers, "Upload-Offset": at } };
    const response = await fetch(made.url, part).catch(() => null);
    const answer = await response?.json().catch(() => null);
    if (response?.ok && answer?.url) return answered(response.status, answer);
    if (response?.ok && answer) {
      at = answer.received;
      failures = 0;
      continue;
    }
    if (response && !PASSING.includes(response.status)) return answered(response.status, answer ?? {});
    if (++failures > MOST_FAILURES) return answered(0, { detail: words.failed });
    text.textContent = words.broken;
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(30, 2 ** failures)));
    const state = await fetch(made.url, { headers: json }).catch(() => null);
    if (state?.ok) at = (await state.json()).received;
    else if (state?.status === 409) return location.assign(form.dataset.listUrl);
  }
}

function answered(status, answer) {
  if (answer.url && !answer.html) return location.assign(answer.url);
  progress.hidden = true;
  send.disabled = false;
  if (answer.again) {
    result.replaceChildren(askAgain(answer.detail));
  } else if (answer.html) {
    // rendered by our own server from escaped text
    result.replaceChildren(document.createRange().createContextualFragment(answer.html));
    facts.replaceChildren();
  } else {
    result.replaceChildren(note("bad", answer.detail || words.failed));
  }
  result.scrollIntoView({ block: "nearest" });
}

// Nothing was charged yet: the same file once more is sent only if that is meant.
function askAgain(detail) {
  const box = note("warn", detail);
  const yes = element("button", "button quiet", words.again);
  yes.type = "button";
  yes.addEventListener("click", () => {
    const meant = element("input");
    Object.assign(meant, { type: "hidden", name: "again", value: "yes" });
    form.append(meant);
    form.requestSubmit();
  });
  box.append(yes);
  return box;
}

if (input.files.length > 0) look(); // chosen while this was on its way, or kept over a reload
