// Moves the bar of a rescore that goes on: the page is fetched again, and what it says of the
// rescore is replaced. Without scripts the page reloads itself.

const pause = 1000; // milliseconds

async function refresh() {
  const live = document.getElementById("rescore");
  if (!live.querySelector("progress")) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("rescore");
      if (fresh) live.replaceWith(fresh);
    }
  } catch {
    // the server is away for a moment: asked again below
  }
  setTimeout(refresh, pause);
}

setTimeout(refresh, pause);
