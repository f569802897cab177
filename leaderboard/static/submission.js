// Keeps the report of a submission up to date: the server says that something changed, the page is
// fetched again and its report replaced. What changes often, a place in the queue or a log that
// grows, is written where it stands. Where event streams don't get through, it asks instead.

const announce = document.querySelector("[data-announce]");
let live = document.getElementById("live");
let source = null;
let delay = 1000;
let timer = 0;
let shown = "";
let fetching = 0;
const soon = 700; // milliseconds; steps that pass sooner are not worth a page

const isOver = () => ["finished", "cancelled"].includes(live.dataset.status);

async function refresh() {
  const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("live");
  if (!fresh || fresh.dataset.revision === live.dataset.revision) return;
  document.title = page.title;
  document.querySelector("main .title").replaceWith(page.querySelector("main .title"));
  live.replaceWith(fresh);
  live = fresh;
  live.dispatchEvent(new Event("fresh", { bubbles: true }));
  announce.textContent = live.dataset.title;
  delay = 1000;
}

// Shows a log that grew where it stands, so that nothing is lost that a reader marked or scrolled
// to; follows its end for a reader who is there. Whether there is a place for it.
function follow(text) {
  const log = live.querySelector("[data-live-log]");
  if (!log || !text) return false;
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  log.textContent = text;
  if (atEnd) log.scrollTop = log.scrollHeight;
  return true;
}

// Whether a place in the queue could be shown without a new page.
function move(queue) {
  const place = live.querySelector("[data-place]");
  if (!queue || !place || Boolean(queue.nobody) !== place.hasAttribute("data-nobody")) return false;
  place.textContent = queue.place;
  const estimate = live.querySelector("[data-estimate]");
  const known = queue.eta_seconds !== null;
  estimate.textContent = known ? estimate.dataset.estimate.replace("{time}", roughly(queue.eta_seconds)) : "";
  return true;
}

function roughly(seconds) {
  const [unit, length] = seconds < 90 ? ["second", 1] : seconds < 5400 ? ["minute", 60] : ["hour", 3600];
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "short" });
  return format.format(Math.max(1, Math.round(seconds / length)));
}

async function poll() {
  clearTimeout(timer);
  if (isOver()) return;
  if (!document.hidden) await refresh().catch(() => {});
  delay = Math.min(delay * 1.3, 10_000);
  timer = setTimeout(poll, delay);
}

function listen() {
  source = new EventSource(live.dataset.events);
  source.addEventListener("submission", (event) => {
    const pulse = JSON.parse(event.data);
    if (pulse.status === "queued" && live.dataset.status === "queued" && move(pulse.queue)) return;
    const state = JSON.stringify([pulse.status, pulse.phase]);
    if (state === shown && follow(pulse.log)) return;
    shown = state;
    const over = ["finished", "cancelled"].includes(pulse.status);
    clearTimeout(fetching);
    fetching = setTimeout(() => refresh().catch(poll), over ? 0 : soon);
    if (over) source.close();
  });
  source.addEventListener("error", () => {
    // the browser reconnects by itself unless the server refused
    if (source.readyState === EventSource.CLOSED) poll();
  });
}

// a page that nobody looks at holds no connection: browsers allow six to a server
document.addEventListener("visibilitychange", () => {
  if (isOver()) return;
  source?.close();
  if (document.hidden) return;
  refresh().catch(() => {});
  listen();
});

if (!isOver()) listen();
