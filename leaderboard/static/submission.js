// Keeps the report of a submission up to date: the server says that something changed, the page is
// fetched again and its report replaced. Where event streams don't get through, it asks instead.

const announce = document.querySelector("[data-announce]");
let live = document.getElementById("live");
let source = null;
let delay = 1000;
let timer = 0;
let shown = "";

const isOver = () => ["finished", "cancelled"].includes(live.dataset.status);

async function refresh() {
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
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

async function poll() {
  clearTimeout(timer);
  if (isOver()) return;
  if (!document.hidden) await refresh().catch(() => {});
  delay = Math.min(delay * 1.3, 10_000);
  timer = setTimeout(poll, delay);
}

function listen() {
  source = new EventSource(live.dataset.events);
  source.addEventListener("submission", async (event) => {
    const pulse = JSON.parse(event.data);
    const state = JSON.stringify([pulse.status, pulse.phase, pulse.queue]);
    if (state === shown && follow(pulse.log)) return;
    shown = state;
    await refresh().catch(() => {});
    if (isOver()) source.close();
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
