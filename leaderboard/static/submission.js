// Keeps the report of a submission up to date: the server says that something changed, the page is
// fetched again and its report replaced. Where event streams don't get through, it asks instead.

const announce = document.querySelector("[data-announce]");
let live = document.getElementById("live");
let source = null;
let delay = 1000;
let timer = 0;

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

async function poll() {
  clearTimeout(timer);
  if (isOver()) return;
  if (!document.hidden) await refresh().catch(() => {});
  delay = Math.min(delay * 1.3, 10_000);
  timer = setTimeout(poll, delay);
}

function listen() {
  source = new EventSource(live.dataset.events);
  source.addEventListener("submission", async () => {
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
