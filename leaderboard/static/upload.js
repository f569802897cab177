// Handing in: drag and drop, a look at the CSV before anything is sent, a progress bar, and the
// server's answer in the page. The server's own checks decide; what is found here only helps.

const form = document.querySelector("form[data-upload]");
const input = form.elements.file;
const drop = form.querySelector("[data-drop]");
const facts = form.querySelector("[data-facts]");
const send = form.querySelector("[data-send]");
const hint = form.querySelector("[data-hint]");
const progress = form.querySelector("[data-progress]");
const result = document.querySelector("[data-result]");
const words = document.querySelector("template[data-strings]").dataset;
const CHECK_BYTES = 64 * 1048576;
const SHOWN = 8;

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
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length === 0) return;
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change"));
});

// ── a look at the file ───────────────────────────────────────────────────────────────────────

input.addEventListener("change", async () => {
  result.replaceChildren();
  facts.replaceChildren();
  const file = input.files[0];
  if (!file) return;
  const kind = await kindOf(file);
  const line = element("p", "file-facts");
  line.append(
    element("strong", "break", file.name),
    element("span", "muted num", readable(file.size)),
    element("span", `badge ${kind ? "live" : "bad"}`, kind ? words[kind] : words.unknown),
  );
  facts.append(line);
  const refusal = whyRefused(file, kind);
  if (refusal) return facts.append(note("bad", refusal));
  if (kind !== "csv" || file.size > CHECK_BYTES || file.name.endsWith(".gz")) return;
  const busy = element("p", "small muted", words.checking);
  facts.append(busy);
  const problems = await check(file).catch(() => null);
  busy.remove();
  if (file === input.files[0] && problems) facts.append(...show(problems));
});

async function kindOf(file) {
  const head = new Uint8Array(await file.slice(0, 262).arrayBuffer());
  const starts = (...bytes) => bytes.every((byte, at) => head[at] === byte);
  const name = file.name.toLowerCase();
  const tar = new TextDecoder("latin1").decode(head.slice(257, 262)) === "ustar";
  if (starts(0x50, 0x4b) || tar) return "code";
  if (starts(0x1f, 0x8b)) return /\.(tar\.gz|tgz)$/.test(name) ? "code" : "csv";
  return /\.(csv|txt|tsv)$/.test(name) || file.type.startsWith("text/") ? "csv" : null;
}

function whyRefused(file, kind) {
  if (file.size === 0) return words.empty;
  if (file.size > Number(form.dataset.maxBytes)) return words.tooLarge;
  return kind && !form.dataset.kinds.split(" ").includes(kind) ? words.refusedKind : "";
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

function checkRows(lines) {
  const { ids, classes, id_column: idColumn, label_column: labelColumn } = expected;
  const found = new Map();
  const report = (kind, line, text) => {
    const known = found.get(kind);
    if (known) known.more += 1;
    else found.set(kind, { line, text, more: 0 });
  };
  const header = lines[0].split(",").map((name) => name.trim().toLowerCase());
  const idAt = header.indexOf(idColumn.toLowerCase());
  const labelAt = header.indexOf(labelColumn.toLowerCase());
  const separator = [";", "\t", "|"].find((sign) => lines[0].includes(sign));
  if (header.length === 1 && separator) {
    return { rows: 0, list: [{ line: 1, text: say(words.separator, { s: separator }) }] };
  }
  if (idAt < 0) {
    const columns = `${idColumn},${labelColumn}`;
    return { rows: 0, list: [{ line: 1, text: say(words.noHeader, { columns }) }] };
  }
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
    if (labelAt < 0) continue;
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
  result.replaceChildren();
  progress.hidden = false;
  send.disabled = true;
  hint.textContent = "";
  request.send(new FormData(form));
});

function answered(status, answer) {
  if (answer.url && !answer.html) return location.assign(answer.url);
  progress.hidden = true;
  send.disabled = false;
  if (answer.html) {
    // rendered by our own server from escaped text
    result.replaceChildren(document.createRange().createContextualFragment(answer.html));
    facts.replaceChildren();
  } else {
    result.replaceChildren(note("bad", answer.detail || words.failed));
  }
  result.scrollIntoView({ block: "nearest" });
}
