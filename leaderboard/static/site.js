// What every page may use: the theme switch, times in the reader's zone, countdowns, copy buttons,
// sortable tables, forms that send themselves. Each page works without any of it.

const words = document.body.dataset;
const language = document.documentElement.lang;
document.documentElement.classList.add("js");

for (const form of document.querySelectorAll("[data-theme-switch]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
    root.dataset.theme = theme;
    document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  });
}

function enhance(root) {
  // what scrolls sideways must be reachable by keyboard
  root.querySelectorAll(".prose pre").forEach((block) => (block.tabIndex = 0));
  root.querySelectorAll("time[data-zone]").forEach(showOwnTime);
  root.querySelectorAll("[data-countdown]").forEach(countDown);
  root.querySelectorAll("[data-copy]").forEach(addCopyButton);
  root.querySelectorAll("table[data-sortable]").forEach(makeSortable);
}

function showOwnTime(element) {
  const own = words.ownZone || Intl.DateTimeFormat().resolvedOptions().timeZone;
  const at = new Date(element.dateTime);
  const format = { dateStyle: "medium", timeStyle: "short" };
  const here = new Intl.DateTimeFormat(language, { ...format, timeZone: own }).format(at);
  const there = new Intl.DateTimeFormat(language, { ...format, timeZone: element.dataset.zone }).format(at);
  element.title = `${here} (${own})`;
  if (element.closest("[data-own-clock]")) element.textContent = `${here} ${own.split("/").at(-1).replaceAll("_", " ")}`;
  if (here !== there && element.closest("[data-own-times]")) {
    const note = document.createElement("div");
    note.className = "small muted";
    note.textContent = `${words.yourTime}: ${here}`;
    element.after(note);
  }
}

const units = [["day", 86400], ["hour", 3600], ["minute", 60]];

function countDown(element) {
  const seconds = (new Date(element.dataset.countdown) - Date.now()) / 1000;
  const [unit, length] = units.find(([, length]) => Math.abs(seconds) >= 2 * length) ?? units.at(-1);
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "always" });
  element.textContent = relative.format(Math.trunc(seconds / length), unit);
  setTimeout(() => element.isConnected && countDown(element), 30_000);
}

function addCopyButton(element) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet tiny copy";
  button.textContent = words.copyWord;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(element.textContent.trim());
    button.textContent = words.copiedWord;
    setTimeout(() => (button.textContent = words.copyWord), 2000);
  });
  const box = document.createElement("div");
  box.className = "copybox";
  element.replaceWith(box);
  box.append(element, button);
}

function makeSortable(table) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(table, head, column));
  });
}

function sortBy(table, head, column) {
  // numbers start with the largest, names with the first
  const first = head.classList.contains("num") ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  table.querySelectorAll("thead th").forEach((cell) => cell.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", order);
  const body = table.tBodies[0];
  const text = (row) => row.cells[column].textContent.trim();
  const collator = new Intl.Collator(language, { numeric: true });
  const sign = order === "ascending" ? 1 : -1;
  body.append(...[...body.rows].sort((a, b) => sign * collator.compare(text(a), text(b))));
}

for (const form of document.querySelectorAll("form[data-autosubmit]")) {
  // by keys every choice on the way would load a page: there the button comes out instead
  let byKeys = false;
  form.addEventListener("keydown", () => (byKeys = true));
  form.addEventListener("pointerdown", () => (byKeys = false));
  form.addEventListener("change", (event) => {
    if (event.target.type === "search") return;
    if (byKeys) form.querySelector("button").classList.remove("no-js");
    else form.requestSubmit();
  });
}

for (const field of document.querySelectorAll(".own-file")) {
  const [input, name] = [field.querySelector("input"), field.querySelector("[data-filename]")];
  const tell = () => (name.textContent = input.files[0]?.name ?? name.dataset.noFile);
  field.querySelector(".button").addEventListener("click", (event) => {
    event.stopPropagation(); // what it lies in may listen too
    input.click();
  });
  input.addEventListener("change", tell);
  tell(); // kept over a reload
}

// on paper nothing can be unfolded
addEventListener("beforeprint", () =>
  document.querySelectorAll(":is(.fold, .folds) > details:not([open])").forEach((each) => {
    each.dataset.printed = "";
    each.open = true;
  }));
addEventListener("afterprint", () =>
  document.querySelectorAll("[data-printed]").forEach((each) => {
    delete each.dataset.printed;
    each.open = false;
  }));

for (const all of document.querySelectorAll("[data-tick-all]")) {
  all.hidden = false;
  const boxes = document.querySelectorAll(`input[type=checkbox][form="${all.dataset.tickAll}"]`);
  all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
}

// an open menu is closed by Escape and by a click elsewhere
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]"))
    if (!menu.contains(event.target)) menu.open = false;
});

// a part of the page was replaced by a fresh one
document.addEventListener("fresh", (event) => enhance(event.target));

enhance(document);
